import { ERRNO } from './errno.ts'
import { InputError, TareError } from './error.ts'
import { trySyscall } from './syscall.ts'

/** What became of a process (wait(2)). */
export type WaitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'killed'; readonly signal: number; readonly coreDumped: boolean }
  | { readonly kind: 'stopped'; readonly signal: number }
  | { readonly kind: 'trapped'; readonly signal: number }
  | { readonly kind: 'continued' }

/** Decodes the status word of wait4(2). */
export const decodeWaitStatus = (word: number): WaitStatus => {
  if (word === 0xffff) return { kind: 'continued' }
  if ((word & 0xff) === 0x7f) return { kind: 'stopped', signal: (word >> 8) & 0xff }
  const signal = word & 0x7f
  if (signal === 0) return { kind: 'exited', code: (word >> 8) & 0xff }
  return { kind: 'killed', signal, coreDumped: (word & 0x80) !== 0 }
}

/** What a shell would say of it: the exit code, or 128 and the signal's number; undefined while it lives. */
export const exitCodeOf = (status: WaitStatus): number | undefined => {
  if (status.kind === 'exited') return status.code
  return status.kind === 'killed' ? 128 + status.signal : undefined
}

/** The part of `siginfo_t` that waitid(2) fills. */
export interface WaitInfo {
  readonly pid: number
  /** The real user id of the process. */
  readonly uid: number
  readonly status: WaitStatus
}

export const SIGINFO_SIZE = 128
export const RUSAGE_SIZE = 144

const viewOf = (what: string, bytes: Uint8Array, size: number): DataView => {
  if (bytes.length < size) {
    throw new InputError({ operation: `decode ${what}`, reason: `${bytes.length} bytes are fewer than ${size}` })
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const decodeCode = (code: number, status: number): WaitStatus => {
  switch (code) {
    case 1:
      return { kind: 'exited', code: status }
    case 2:
    case 3:
      return { kind: 'killed', signal: status, coreDumped: code === 3 }
    case 4:
      return { kind: 'trapped', signal: status }
    case 5:
      return { kind: 'stopped', signal: status }
    case 6:
      return { kind: 'continued' }
    default:
      throw new InputError({ operation: 'decode siginfo_t', reason: `${code} is no CLD_ code` })
  }
}

/** Decodes what waitid(2) filled in; undefined where nothing had changed (WNOHANG). Throws for other signals'. */
export const decodeWaitInfo = (bytes: Uint8Array): WaitInfo | undefined => {
  const view = viewOf('siginfo_t', bytes, 28)
  const pid = view.getInt32(16, true)
  if (view.getInt32(0, true) === 0 && pid === 0) return undefined
  return { pid, uid: view.getUint32(20, true), status: decodeCode(view.getInt32(8, true), view.getInt32(24, true)) }
}

/** What a process, and the children that it waited for, have used (getrusage(2)). */
export interface ResourceUsage {
  /** Microseconds of processor time in user mode. */
  readonly userTime: number
  /** Microseconds of processor time in the kernel. */
  readonly systemTime: number
  /** The most memory it ever had resident at once, in bytes. */
  readonly maxResident: number
  readonly minorFaults: number
  readonly majorFaults: number
  /** Blocks of 512 bytes. */
  readonly blocksIn: number
  readonly blocksOut: number
  readonly voluntarySwitches: number
  readonly involuntarySwitches: number
}

/** Decodes `struct rusage` of 64-bit Linux: 144 bytes. */
export const decodeRusage = (bytes: Uint8Array): ResourceUsage => {
  const view = viewOf('struct rusage', bytes, RUSAGE_SIZE)
  const long = (offset: number): number => Number(view.getBigInt64(offset, true))
  return {
    userTime: long(0) * 1_000_000 + long(8),
    systemTime: long(16) * 1_000_000 + long(24),
    maxResident: long(32) * 1024,
    minorFaults: long(64),
    majorFaults: long(72),
    blocksIn: long(88),
    blocksOut: long(96),
    voluntarySwitches: long(128),
    involuntarySwitches: long(136),
  }
}

/** Whom to wait for: a child by id, the process of a pidfd, the children of a group, any child. */
export type WaitFor = { readonly pid: number } | { readonly pidfd: number } | { readonly group: number } | 'any'

export interface WaitOptions {
  /** Return at once where nothing has changed, instead of blocking this thread. Default true. */
  readonly noHang?: boolean | undefined
  /** Leave the child in a state in which it can be waited for again. */
  readonly noWait?: boolean | undefined
  /** Also report children that stopped or went on, not only those that ended. */
  readonly stopped?: boolean | undefined
  readonly continued?: boolean | undefined
}

export interface WaitResult extends WaitInfo {
  readonly usage: ResourceUsage
}

const WNOHANG = 1
const WSTOPPED = 2
const WEXITED = 4
const WCONTINUED = 8
const WNOWAIT = 0x01000000

const idOf = (whom: WaitFor): readonly [type: number, id: number, words: string] => {
  if (whom === 'any') return [0, 0, 'a child']
  if ('pid' in whom) return [1, whom.pid, `process ${whom.pid}`]
  return 'group' in whom ? [2, whom.group, `process group ${whom.group}`] : [3, whom.pidfd, `pidfd ${whom.pidfd}`]
}

/**
 * Waits for a change of a child of this process, by default only looking; undefined where there was none.
 * Never wait for children that node:child_process started: it does so itself. waitid(2)
 */
export const waitid = (whom: WaitFor, options: WaitOptions = {}): WaitResult | undefined => {
  const { noHang = true, noWait = false, stopped = false, continued = false } = options
  const flags =
    WEXITED | (noHang ? WNOHANG : 0) | (noWait ? WNOWAIT : 0) | (stopped ? WSTOPPED : 0) | (continued ? WCONTINUED : 0)
  const info = new Uint8Array(SIGINFO_SIZE)
  const usage = new Uint8Array(RUSAGE_SIZE)
  const [type, id, words] = idOf(whom)
  for (;;) {
    const result = trySyscall('waitid', type, id, info, flags, usage)
    if (result === 0) break
    if (-result === ERRNO['EINTR']) continue
    const hint = -result === ERRNO['ECHILD'] ? 'It is no child of this process, or has been waited for.' : undefined
    throw new TareError({ operation: 'wait for', target: words, syscall: 'waitid', errno: -result, hint })
  }
  const decoded = decodeWaitInfo(info)
  return decoded === undefined ? undefined : { ...decoded, usage: decodeRusage(usage) }
}
