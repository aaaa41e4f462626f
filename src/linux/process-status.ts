import { InputError } from './error.ts'
import type { ProcId } from './proc.ts'
import { readProc } from './proc.ts'

/** The four ids of a process of one kind, as the reader's user namespace sees them (credentials(7)). */
export interface ProcessIds {
  readonly real: number
  readonly effective: number
  readonly saved: number
  readonly filesystem: number
}

/** What /proc/PID/status tells of a process (proc_pid_status(5)), but its capabilities: `parseStatusCapabilities`. */
export interface ProcessStatus {
  /** As {@link ProcessStat.comm}. */
  readonly name: string
  /** One letter: see {@link ProcessStat.state}. */
  readonly state: string
  readonly pid: number
  /** 0 where it is outside of the reader's pid namespace. */
  readonly ppid: number
  /** The process that traces it; 0 for none. */
  readonly tracerPid: number
  /** The user ids. */
  readonly uid: ProcessIds
  /** The group ids. */
  readonly gid: ProcessIds
  /** The supplementary groups. */
  readonly groups: readonly number[]
  /** Its number in each pid namespace that it is in: the reader's first, its own last. */
  readonly pids: readonly number[]
  readonly threads: number
  /** Bytes in memory; undefined where it has no memory of its own: it ended, or is a thread of the kernel. */
  readonly rss: number | undefined
  /** Bytes swapped out. */
  readonly swap: number | undefined
  readonly umask: number | undefined
  /** Whether programs that it executes get no new privileges (PR_SET_NO_NEW_PRIVS(2const)). */
  readonly noNewPrivs: boolean
  /** seccomp(2). */
  readonly seccomp: 'disabled' | 'strict' | 'filter' | undefined
  /** How many filters it has; undefined before Linux 5.9. */
  readonly seccompFilters: number | undefined
}

/**
 * The value of a line of a status file's text. Lines end with a line feed, and with nothing else: the name of a process,
 * which it chooses, may hold what regular expressions take for an end of a line (a carriage return).
 */
export const statusField = (text: string, name: string): string | undefined => {
  const label = `\n${name}:\t`
  const at = text.indexOf(label)
  if (at < 0) return undefined
  const end = text.indexOf('\n', at + label.length)
  return text.slice(at + label.length, end < 0 ? undefined : end)
}

const missing = (name: string): InputError =>
  new InputError({ operation: 'read the status of a process', reason: `it has no line ${name}` })

const requireField = (text: string, name: string): string => {
  const value = statusField(text, name)
  if (value === undefined) throw missing(name)
  return value
}

const numberOf = (text: string, name: string): number => Number(requireField(text, name))

const kilobytes = (value: string | undefined): number | undefined =>
  value === undefined ? undefined : Number.parseInt(value, 10) * 1024

const numbers = (value: string): readonly number[] =>
  value
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number)

/** The four ids in a line of a status file's text. Throws as {@link parseProcessStatus}. */
const statusIds = (text: string, name: 'Uid' | 'Gid'): ProcessIds => {
  const [real, effective, saved, filesystem] = requireField(text, name).split('\t').map(Number)
  if (real === undefined || effective === undefined || saved === undefined || filesystem === undefined) {
    throw missing(name)
  }
  return { real, effective, saved, filesystem }
}

/** {@link ProcessStatus.pids} alone: for who reads thousands of them. Throws as {@link parseProcessStatus}. */
export const statusPids = (text: string): readonly number[] =>
  // A kernel without pid namespaces has no such line.
  (statusField(text, 'NSpid') ?? requireField(text, 'Pid')).split('\t').map(Number)

/** In the name, an end of line and a backslash are written as `\n` and `\\`. */
const unescape = (name: string): string =>
  name.includes('\\') ? name.replace(/\\([n\\])/g, (_, letter: string) => (letter === 'n' ? '\n' : '\\')) : name

const SECCOMP = ['disabled', 'strict', 'filter'] as const

/** Reads the text of /proc/PID/status. Throws {@link InputError} where a line is missing that every kernel writes. */
export const parseProcessStatus = (text: string): ProcessStatus => {
  if (!text.startsWith('Name:\t')) throw missing('Name')
  const umask = statusField(text, 'Umask')
  const seccomp = statusField(text, 'Seccomp')
  const filters = statusField(text, 'Seccomp_filters')
  return {
    name: unescape(text.slice('Name:\t'.length, text.indexOf('\n'))),
    state: requireField(text, 'State').slice(0, 1),
    pid: numberOf(text, 'Pid'),
    ppid: numberOf(text, 'PPid'),
    tracerPid: numberOf(text, 'TracerPid'),
    uid: statusIds(text, 'Uid'),
    gid: statusIds(text, 'Gid'),
    groups: numbers(requireField(text, 'Groups')),
    pids: statusPids(text),
    threads: numberOf(text, 'Threads'),
    rss: kilobytes(statusField(text, 'VmRSS')),
    swap: kilobytes(statusField(text, 'VmSwap')),
    umask: umask === undefined ? undefined : Number.parseInt(umask, 8),
    noNewPrivs: statusField(text, 'NoNewPrivs') === '1',
    seccomp: seccomp === undefined ? undefined : SECCOMP[Number(seccomp)],
    seccompFilters: filters === undefined ? undefined : Number(filters),
  }
}

/** The status of a process (of its main thread). Throws if there is none of this id. proc_pid_status(5) */
export const readProcessStatus = (pid: ProcId): ProcessStatus =>
  parseProcessStatus(readProc('read the status of', pid, 'status'))
