import { Buffer } from 'node:buffer'
import { S_IFMT, fileStatus } from '../../linux/file-status.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../../linux/fcntl.ts'
import type { ProcessStatus } from '../../linux/process-status.ts'
import { parseProcessStatus } from '../../linux/process-status.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Promised } from '../../runtime/promise.ts'
import { decodePromise } from '../../runtime/promise.ts'
import { ProcessFiles } from './process-files.ts'

/** What `ps` and /proc call the memory of a plan, and the stage that carries one out. */
const PLAN = '/memfd:tare-plan (deleted)'
const STAGE = '/memfd:tare-stage (deleted)'

const S_IFREG = 0o100000
/** The most that is read of a plan, in bytes. */
const LONGEST = 8 << 20
/** The most descriptors of a process that are looked at for plans. */
const MOST = 16_384

/** A container that Tare has started. */
export interface TareContainer {
  /** Its PID 1. */
  readonly init: number
  /** What it was promised; undefined where the process that started it keeps no plan that PID 1 has mapped. */
  readonly promised: Promised | undefined
}

/** Calls `look` with the files of a process; undefined where it has ended. */
const withProcess = <T>(pid: number, look: (files: ProcessFiles) => T | undefined): T | undefined => {
  let files: ProcessFiles
  try {
    files = new ProcessFiles(pid)
  } catch {
    return undefined // it has ended
  }
  try {
    return look(files)
  } finally {
    files[Symbol.dispose]()
  }
}

const statusOf = (pid: number): ProcessStatus | undefined =>
  withProcess(pid, (files) => {
    const text = files.readIfThere('status')
    return text === undefined ? undefined : parseProcessStatus(text)
  })

const childrenOf = (pid: number): readonly number[] =>
  withProcess(pid, (files) =>
    (files.list('task') ?? []).flatMap((task) =>
      (files.readIfThere(`task/${task}/children`) ?? '')
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    ),
  ) ?? []

const pidNamespaceOf = (pid: number): string | undefined => withProcess(pid, (files) => files.link('ns/pid'))

const isFirst = (status: ProcessStatus | undefined): boolean =>
  status !== undefined && status.pids.length > 1 && status.pids.at(-1) === 1

const isStage = (pid: number): boolean => withProcess(pid, (files) => files.link('exe')) === STAGE

/** A program that is PID 1 itself has Tare's PID 1 above it, in the pid namespace around its own. */
const outermost = (first: number, parent: number): { readonly init: number; readonly owner: number } => {
  const above = statusOf(parent)
  return above !== undefined && isFirst(above) && isStage(parent)
    ? { init: parent, owner: above.ppid }
    : { init: first, owner: parent }
}

/**
 * PID 1 of the pid namespace of a process: above it, or, where it was started from outside, beside what started it.
 * Undefined where that is the host's, or can't be found.
 */
const findInit = (pid: number): { readonly init: number; readonly owner: number } | undefined => {
  const own = pidNamespaceOf(pid)
  let at = pid
  let status = statusOf(at)
  while (status !== undefined && status.pids.length > 1) {
    if (isFirst(status)) return outermost(at, status.ppid)
    if (pidNamespaceOf(status.ppid) !== own) {
      const owner = status.ppid
      const init = childrenOf(owner).find((child) => isFirst(statusOf(child)) && pidNamespaceOf(child) === own)
      return init === undefined ? undefined : { init, owner }
    }
    at = status.ppid
    status = statusOf(at)
  }
  return undefined
}

/** The inodes of plans that a process has mapped: PID 1 of Tare's keeps its own. */
const mappedPlans = (pid: number): readonly string[] =>
  withProcess(pid, (files) =>
    (files.readIfThere('maps') ?? '')
      .split('\n')
      .filter((line) => line.endsWith(PLAN))
      .map((line) => line.split(/ +/)[4] ?? ''),
  ) ?? []

interface Plan {
  readonly inode: string
  readonly promised: Promised
}

/** Reads memory behind a descriptor of O_PATH, if it is a file and not something that was put in its place. */
const readBehind = (fd: number): Plan | undefined => {
  const { mode, inode, size } = fileStatus({ dirfd: fd, path: '' })
  if ((mode & S_IFMT) !== S_IFREG) return undefined
  const reading = trySyscall('openat', AT_FDCWD, `/proc/self/fd/${fd}`, O_RDONLY | O_CLOEXEC, 0)
  if (reading < 0) return undefined
  const bytes = Buffer.alloc(Math.min(size, LONGEST))
  const length = trySyscall('pread64', reading, bytes, bytes.length, 0)
  trySyscall('close', reading)
  const promised = length < 0 ? undefined : decodePromise(bytes.subarray(0, length))
  return promised === undefined ? undefined : { inode: String(inode), promised }
}

/** The plans that a process keeps of containers which it has started. */
const plansOf = (pid: number): readonly Plan[] =>
  withProcess(pid, (files) =>
    (files.list('fd') ?? []).slice(0, MOST).flatMap((number) => {
      if (files.link(`fd/${number}`) !== PLAN) return []
      const fd = files.tryFollow(`fd/${number}`)
      if (fd < 0) return []
      try {
        const plan = readBehind(fd)
        return plan === undefined ? [] : [plan]
      } finally {
        trySyscall('close', fd)
      }
    }),
  ) ?? []

/**
 * The container of Tare's that a process is in; undefined if it is in none. What it was promised stands in its plan, in
 * memory that the process which started it keeps. A process could make up such memory: what is promised is only ever
 * held against what is found, and never believed.
 */
export const findTareContainer = (pid: number): TareContainer | undefined => {
  const found = findInit(pid)
  if (found === undefined) return undefined
  const { init, owner } = found
  const plans = plansOf(owner)
  if (plans.length === 0) return undefined
  const mapped = mappedPlans(init)
  return { init, promised: plans.find(({ inode }) => mapped.includes(inode))?.promised }
}

/**
 * Where a process is the PID 1 that Tare puts beside a program, the program; else the process itself: what a container
 * runs is what is to be contained.
 */
export const programOf = (pid: number): number => {
  if (!isStage(pid)) return pid
  const [program] = childrenOf(pid)
  if (program !== undefined) return program
  const own = pidNamespaceOf(pid)
  const owner = statusOf(pid)?.ppid ?? 0
  return childrenOf(owner).find((child) => child !== pid && pidNamespaceOf(child) === own) ?? pid
}
