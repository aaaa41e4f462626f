import { TareError } from '../linux/error.ts'
import type { SyscallName } from '../linux/syscall.ts'
import type { DataBuilder } from './data.ts'
import type { Branch, Label, Mechanism, Operand, Operation, Register, Step, Words } from './step.ts'

/** PLAN_REGISTERS of native/plan.h. */
const REGISTERS = 128

const NONE: readonly Branch[] = []

/** Which registers are in use. Shared by builders whose steps are performed one after the other by one process. */
export class RegisterPool {
  readonly #free: number[] = []
  #next = 0
  #pinned = REGISTERS

  take(name: string): number {
    const index = this.#free.pop() ?? this.#next++
    if (index < this.#pinned) return index
    throw new TareError({ operation: 'plan', target: name, reason: `a plan has ${REGISTERS} registers` })
  }

  pin(): number {
    this.#pinned -= 1
    return this.#pinned
  }

  release(index: number): void {
    if (index < this.#pinned) this.#free.push(index)
  }
}

/** Descriptors of the parent that stays with a container in the background. */
export interface Monitored {
  /** A pidfd of the container. */
  readonly ended: Operand
  /** The master of its console; not blocking. */
  readonly console: Operand
  /** A listening socket of packets, for those who attach. */
  readonly listener: Operand
  readonly log: Operand
  /** A socket on which its init says how far it is; -1 for none. */
  readonly notify: Operand
  /** How many bytes of the console the log keeps: 2^12 to 2^30. */
  readonly capacity: number
}

/** Collects the steps that one process performs, in order. */
export class StepBuilder {
  readonly steps: Step[] = []
  readonly #labels: Label[] = []
  readonly #registers: RegisterPool
  readonly #before: number
  #mechanism: Mechanism = 'start'

  readonly data: DataBuilder

  /** `before`: how many steps there will be before the first of these. */
  constructor(data: DataBuilder, registers: RegisterPool = new RegisterPool(), before = 0) {
    this.data = data
    this.#before = before
    this.#registers = registers
  }

  /** The mechanism that the following steps belong to. */
  mechanism(mechanism: Mechanism): this {
    this.#mechanism = mechanism
    return this
  }

  /** A system call whose result is of no interest beyond its success. */
  call(words: Words, call: SyscallName, args: readonly Operand[], branches: readonly Branch[] = NONE): void {
    this.#add('syscall', words, call, args, undefined, branches)
  }

  /** A system call whose result later steps use. */
  callFor(
    name: string,
    words: Words,
    call: SyscallName,
    args: readonly Operand[],
    branches: readonly Branch[] = NONE,
  ): Register {
    const result = this.register(name)
    this.#add('syscall', words, call, args, result, branches)
    return result
  }

  /** A system call whose result takes the place of what a register held. */
  callInto(
    result: Register,
    words: Words,
    call: SyscallName,
    args: readonly Operand[],
    branches: readonly Branch[] = NONE,
  ): void {
    this.#add('syscall', words, call, args, result, branches)
  }

  /** Clones this process; the child goes on at the next step, the parent at `parent`. */
  clone(
    words: Words,
    call: SyscallName,
    args: readonly Operand[],
    result: Register,
    parent: Label,
    branches: readonly Branch[] = NONE,
  ): void {
    this.#add('clone', words, call, args, result, [{ errno: 0, to: parent }, ...branches])
  }

  /** Writes a register to the data, `size` bytes of it (4 or 8). */
  store(words: Words, offset: number, value: Register, size: 4 | 8): void {
    this.#add('store', words, undefined, [offset, value, size], undefined, NONE)
  }

  /** Reads `size` bytes (4 or 8) of the data into a register. */
  loadInto(result: Register, words: Words, offset: number, size: 4 | 8): void {
    this.#add('load', words, undefined, [offset, 0, size], result, NONE)
  }

  /** Fails with `errno`, or goes where the branches say, unless the register holds `value`. */
  check(words: Words, register: Register, value: number, errno: number, branches: readonly Branch[] = NONE): void {
    this.#add('check', words, undefined, [register, value, errno], undefined, branches)
  }

  jump(words: Words, to: Label): void {
    this.#add('jump', words, undefined, [], undefined, [{ errno: 0, to }])
  }

  /** Stays, as PID 1, for `child`; its wait status goes to descriptor `status`. */
  init(words: Words, child: Register, status: number): void {
    this.#add('init', words, undefined, [child, status], undefined, NONE)
  }

  /** Fails with `errno`, as what earlier tries of a system call have come to. */
  fail(words: Words, errno: number, call?: SyscallName): void {
    this.#add('fail', words, call, [errno], undefined, NONE)
  }

  /** Stays beside a container in the background until it has ended (native/monitor.h). */
  monitor(words: Words, { ended, console, listener, log, notify, capacity }: Monitored): void {
    this.#add('monitor', words, undefined, [ended, console, listener, log, notify, capacity], undefined, NONE)
  }

  label(): Label {
    const label = { index: -1 }
    this.#labels.push(label)
    return label
  }

  /** Puts steps of another builder, which must share registers and data with this one, before all others. */
  prepend(steps: readonly Step[]): void {
    this.steps.unshift(...steps)
    for (const label of this.#labels) label.index += steps.length
  }

  /** The label's place is the next step. */
  place(label: Label): void {
    label.index = this.#before + this.steps.length
  }

  register(name: string): Register {
    return { kind: 'register', index: this.#registers.take(name), name }
  }

  /** A register that is never another's: for what is there from the start. */
  pinnedRegister(name: string): Register {
    return { kind: 'register', index: this.#registers.pin(), name }
  }

  /** No later step uses the register. */
  release(register: Register): void {
    this.#registers.release(register.index)
  }

  #add(
    operation: Operation,
    words: Words,
    call: SyscallName | undefined,
    args: readonly Operand[],
    result: Register | undefined,
    branches: readonly Branch[],
  ): void {
    this.steps.push({
      mechanism: this.#mechanism,
      operation,
      call,
      args,
      result,
      branches,
      what: words.what,
      why: words.why ?? '',
      hints: words.hints,
    })
  }
}
