import type { RlimitName } from '../linux/rlimit.ts'
import { RLIMIT_NAMES } from '../linux/rlimit.ts'
import type { Integer, Read } from './fields.ts'
import {
  absolutePath,
  arrayOf,
  boolean,
  Fields,
  integer,
  nonEmpty,
  oneOf,
  refuse,
  refuseTwice,
  string,
  uint64,
} from './fields.ts'
import type { CpuAffinity, IoPriority, Scheduler } from './scheduler.ts'
import { readCpuAffinity, readIoPriority, readScheduler } from './scheduler.ts'

/** The size of a terminal, in characters. */
export interface ConsoleSize {
  readonly height: number
  readonly width: number
}

/** Ids as the container sees them. */
export interface User {
  readonly uid: number
  readonly gid: number
  /** The runtime's own where absent. */
  readonly umask?: number | undefined
  readonly additionalGids?: readonly number[] | undefined
}

export const CAPABILITY_SETS = ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'] as const

/** Names as in capabilities(7), which need not be known here: what can't be granted is warned of, and no error. */
export type Capabilities = {
  readonly [set in (typeof CAPABILITY_SETS)[number]]?: readonly string[] | undefined
}

export interface Rlimit {
  readonly type: RlimitName
  readonly soft: Integer
  readonly hard: Integer
}

/** `process` of config.json (runtime-spec, config.md), and what `exec --process` reads. */
export interface Process {
  readonly terminal?: boolean | undefined
  /** Ignored without `terminal`. */
  readonly consoleSize?: ConsoleSize | undefined
  readonly user: User
  /** At least one. */
  readonly args: readonly string[]
  readonly env?: readonly string[] | undefined
  /** Absolute, in the container. */
  readonly cwd: string
  readonly capabilities?: Capabilities | undefined
  readonly rlimits?: readonly Rlimit[] | undefined
  readonly noNewPrivileges?: boolean | undefined
  /** -1000 to 1000. */
  readonly oomScoreAdj?: number | undefined
  readonly apparmorProfile?: string | undefined
  readonly selinuxLabel?: string | undefined
  readonly scheduler?: Scheduler | undefined
  readonly ioPriority?: IoPriority | undefined
  readonly execCPUAffinity?: CpuAffinity | undefined
}

const readConsoleSize: Read<ConsoleSize> = (value, at) => {
  const fields = new Fields(value, at)
  // struct winsize of ioctl_tty(2) has 16 bits for each.
  return { height: fields.required('height', integer(0, 0xffff)), width: fields.required('width', integer(0, 0xffff)) }
}

/** The id of all bits is none: it means "leave it" to setresuid(2). */
const readId: Read<number> = integer(0, 0xffff_fffe)

const readUser: Read<User> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    uid: fields.required('uid', readId),
    gid: fields.required('gid', readId),
    umask: fields.optional('umask', integer(0, 0o7777)),
    additionalGids: fields.optional('additionalGids', arrayOf(readId)),
  }
}

const readCapabilities: Read<Capabilities> = (value, at) => {
  const fields = new Fields(value, at)
  return Object.fromEntries(CAPABILITY_SETS.map((set) => [set, fields.optional(set, arrayOf(nonEmpty))]))
}

const readRlimit: Read<Rlimit> = (value, at) => {
  const fields = new Fields(value, at)
  const [soft, hard] = [fields.required('soft', uint64), fields.required('hard', uint64)]
  if (soft > hard) refuse(at, `the soft limit, ${soft}, is above the hard one, ${hard}`)
  return { type: fields.required('type', oneOf(RLIMIT_NAMES)), soft, hard }
}

const readRlimits: Read<readonly Rlimit[]> = (value, at) => {
  const rlimits = arrayOf(readRlimit)(value, at)
  refuseTwice(rlimits, at, ({ type }) => type)
  return rlimits
}

const readArgs: Read<readonly string[]> = (value, at) => {
  const args = arrayOf(string)(value, at)
  return args.length === 0 ? refuse(at, 'it is empty', 'The first of them is the program.') : args
}

/** Reads `process`. Throws InputError at the first fault, naming its place. */
export const readProcess: Read<Process> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    terminal: fields.optional('terminal', boolean),
    // What is of no use without a terminal is not even looked at: it must be ignored.
    consoleSize:
      fields.optional('terminal', boolean) === true ? fields.optional('consoleSize', readConsoleSize) : undefined,
    user: fields.optional('user', readUser) ?? { uid: 0, gid: 0 },
    args: fields.required('args', readArgs),
    env: fields.optional('env', arrayOf(string)),
    cwd: fields.required('cwd', absolutePath),
    capabilities: fields.optional('capabilities', readCapabilities),
    rlimits: fields.optional('rlimits', readRlimits),
    noNewPrivileges: fields.optional('noNewPrivileges', boolean),
    oomScoreAdj: fields.optional('oomScoreAdj', integer(-1000, 1000)),
    apparmorProfile: fields.optional('apparmorProfile', string),
    selinuxLabel: fields.optional('selinuxLabel', string),
    scheduler: fields.optional('scheduler', readScheduler),
    ioPriority: fields.optional('ioPriority', readIoPriority),
    execCPUAffinity: fields.optional('execCPUAffinity', readCpuAffinity),
  }
}
