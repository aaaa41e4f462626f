import type { SyscallName } from '../linux/syscall.ts'

/** Which of the mechanisms a step belongs to; `explain` groups by it. */
export type Mechanism = 'start' | 'namespaces' | 'chroot' | 'cgroups' | 'capabilities' | 'seccomp' | 'process'

/** A value that an earlier step left: a descriptor, mostly. */
export interface Register {
  readonly kind: 'register'
  readonly index: number
  readonly name: string
}

/** Bytes that the plan carries; for the kernel, their address. */
export interface Data {
  readonly kind: 'data'
  readonly offset: number
  /** How `explain` shows it: a quoted string, or a structure in words. */
  readonly text: string
}

/** A number with the kernel's name for it. */
export interface Named {
  readonly kind: 'named'
  readonly value: number
  readonly text: string
}

/** Text in which `{pid}` stands for the stage's process id. Only for steps that Tare itself performs. */
export interface Template {
  readonly kind: 'template'
  readonly text: string
}

export type Operand = number | bigint | Register | Data | Named | Template

/** A place in the plan that steps may jump to: always forward. */
export interface Label {
  index: number
}

/** What follows an errno instead of failure. */
export interface Branch {
  readonly errno: number | 'any'
  readonly to: Label
}

export type Operation = 'syscall' | 'clone' | 'store' | 'load' | 'check' | 'jump' | 'init' | 'fail' | 'monitor'

/** One step of a plan: a system call, most of the time. */
export interface Step {
  readonly mechanism: Mechanism
  readonly operation: Operation
  readonly call: SyscallName | undefined
  readonly args: readonly Operand[]
  readonly result: Register | undefined
  readonly branches: readonly Branch[]
  /** What it does, as an infinitive: `mount proc at /proc`. An error says "cannot" before it. */
  readonly what: string
  /** Why it is there, for people; empty where `what` says it all. */
  readonly why: string
  /** What to do when it fails, by errno name, or `*` for any. */
  readonly hints: Hints | undefined
}

export type Hints = Readonly<Record<string, string>>

/** What a step's author says of it. */
export interface Words {
  readonly what: string
  readonly why?: string
  readonly hints?: Hints
}

export const named = (value: number, text: string): Named => ({ kind: 'named', value, text })
