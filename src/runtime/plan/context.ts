import type { CgroupLayout } from '../../linux/cgroup/layout.ts'
import { RegisterPool, StepBuilder } from '../../plan/builder.ts'
import { DataBuilder } from '../../plan/data.ts'
import type { Data, Named, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { ContainerSpec } from '../spec.ts'

/** Descriptors of the stage with a fixed number: native/plan.h, and the pipe for the program's wait status. */
const CONTROL_FD = 3
export const STATUS_FD = 5
/** Where the descriptors begin that one plan has and another has not. */
export const FIRST_FREE_FD = 6

export const CONTROL: Named = named(CONTROL_FD, 'control')
export const CWD: Named = named(-100, 'AT_FDCWD')

/** What a plan needs to know of the host. Read once, by src/runtime/host.ts. */
export interface PlanHost {
  /** Whether the caller is root with the power to mount in its own user namespace. */
  readonly privileged: boolean
  readonly uid: number
  readonly gid: number
  readonly cgroups: CgroupLayout | undefined
  /** What is at a path of /proc or /sys, as every proc and sysfs of this kernel shows it. */
  readonly kernelFile: (path: string) => 'file' | 'directory' | undefined
}

/** One descriptor that Tare opens and the stage receives. */
export interface Handed {
  /** Tare's register. */
  readonly register: Register
  /** The stage's register, once the descriptor has arrived. */
  readonly received: Register
}

/** A plan in the making. */
export class PlanContext {
  readonly spec: ContainerSpec
  readonly host: PlanHost
  readonly #ownRegisters = new RegisterPool()
  /** What Tare's own steps carry. */
  readonly ownData: DataBuilder = new DataBuilder()
  readonly data: DataBuilder = new DataBuilder()
  /** Tare's steps before the stage is cloned. */
  readonly prepare: StepBuilder = new StepBuilder(this.ownData, this.#ownRegisters)
  /** Tare's steps on the stage, which waits for them. */
  readonly grant: StepBuilder = new StepBuilder(this.ownData, this.#ownRegisters)
  readonly stage: StepBuilder = new StepBuilder(this.data)
  /** Tare's descriptors that the stage inherits, from FIRST_FREE_FD on. */
  readonly inherited: Register[] = []
  /** Descriptors that are sent to the stage, as they are opened only when its user namespace is there. */
  readonly handed: Handed[] = []

  /** The tmpfs in which the layers of overlays are attached, once there is one. */
  staging: Register | undefined
  overlays = 0
  /** How many mounts are stacked on the old root's "/". */
  stacked = 0
  #userNamespace: Register | undefined

  constructor(spec: ContainerSpec, host: PlanHost) {
    this.spec = spec
    this.host = host
  }

  /** Whether the container has ids of its own. */
  get mapped(): boolean {
    return this.spec.userNamespace.kind === 'mapped'
  }

  /** Whether trees of the host come from Tare, which can map their owners, and not from the stage, which can't. */
  get handsTrees(): boolean {
    return this.mapped && this.host.privileged
  }

  /** Tare's descriptor of the container's user namespace, for mapping the owners of files. */
  userNamespace(): Register {
    this.#userNamespace ??= this.grant.callFor(
      'user namespace fd',
      { what: "open the container's user namespace" },
      'openat',
      [CWD, { kind: 'template', text: '/proc/{pid}/ns/user' }, named(0o2000000, 'O_RDONLY|O_CLOEXEC')],
    )
    return this.#userNamespace
  }

  /** Hands a descriptor of Tare's to the stage; returns the stage's register. */
  hand(register: Register, name: string): Register {
    const received = this.stage.pinnedRegister(name)
    this.handed.push({ register, received })
    return received
  }

  string(value: string): Data {
    return this.data.string(value)
  }

  /** Tare's descriptor in `register` as the number that it has in the stage. */
  inherit(register: Register): Named {
    this.inherited.push(register)
    return named(FIRST_FREE_FD + this.inherited.length - 1, register.name)
  }
}
