import { Buffer } from 'node:buffer'
import type { FileStatus } from '../../linux/file-status.ts'
import { S_IFMT, S_IFREG, knownFileStatus } from '../../linux/file-status.ts'
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

const MFD_CLOEXEC = 1
/** The most that is read of a plan, in bytes. */
const LONGEST = 8 << 20
/** The most descriptors of a process that are looked at for plans. */
const MOST = 16_384

/** A container that Tare has started. */
export interface TareContainer {
  /** The process of Tare's with which it ends: its PID 1, or the one around where the program is PID 1 itself. */
  readonly init: number
  /** What it was promised; undefined where its plan is not to be found, or may not be read. */
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

const isStage = (pid: number): boolean => withProcess(pid, (files) => files.link('exe')) === STAGE

/** Whether a process is the stage as PID 1 of a container, or around it, with which the container ends. */
const isKeeper = (pid: number): boolean => statusOf(pid)?.pids.at(-1) === 1 && isStage(pid)

/** Whether a keeper's container has this pid namespace: its own, or that of the program which is PID 1 itself. */
const keeps = (keeper: number, namespace: string | undefined): boolean =>
  [keeper, ...childrenOf(keeper)].some((pid) => pidNamespaceOf(pid) === namespace)

/**
 * What Tare has put above a process; or, above one that was started from outside, beside it. Undefined where there is
 * none.
 */
const findKeeper = (pid: number): number | undefined => {
  let at = pid
  let status = statusOf(at)
  while (status !== undefined && status.pids.length > 1) {
    if (isKeeper(at)) return at
    const parent = statusOf(status.ppid)
    if (parent !== undefined && parent.pids.length < status.pids.length) {
      const own = pidNamespaceOf(at)
      const beside = childrenOf(parent.pid).find((child) => child !== at && isKeeper(child) && keeps(child, own))
      if (beside !== undefined) return beside
    }
    at = status.ppid
    status = parent
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

/** The device of all memory that memfd_create(2) makes: a deleted file elsewhere can have the name of such memory. */
const memoryDevice = (): string | undefined => {
  const fd = trySyscall('memfd_create', 'tare', MFD_CLOEXEC)
  if (fd < 0) return undefined
  try {
    return numbersOf(knownFileStatus(fd))
  } finally {
    trySyscall('close', fd)
  }
}

const numbersOf = ({ device: { major, minor } }: FileStatus): string => `${major}:${minor}`

/** Reads memory behind a descriptor of O_PATH, if it is a plan of these and not something that was put in its place. */
const readBehind = (fd: number, inodes: readonly string[], device: string | undefined): Plan | undefined => {
  const status = knownFileStatus(fd)
  const inode = String(status.inode)
  if ((status.mode & S_IFMT) !== S_IFREG || numbersOf(status) !== device || !inodes.includes(inode)) return undefined
  const reading = trySyscall('openat', AT_FDCWD, `/proc/self/fd/${fd}`, O_RDONLY | O_CLOEXEC, 0)
  if (reading < 0) return undefined
  const bytes = Buffer.alloc(Math.min(status.size, LONGEST))
  const length = trySyscall('pread64', reading, bytes, bytes.length, 0)
  trySyscall('close', reading)
  const promised = length < 0 ? undefined : decodePromise(bytes.subarray(0, length))
  return promised === undefined ? undefined : { inode, promised }
}

/** Of the plans with these inodes, those that a process keeps of containers which it has started. */
const plansOf = (pid: number, inodes: readonly string[]): readonly Plan[] => {
  const device = memoryDevice()
  return (
    withProcess(pid, (files) =>
      (files.list('fd') ?? []).slice(0, MOST).flatMap((number) => {
        if (files.link(`fd/${number}`) !== PLAN) return []
        const fd = files.tryFollow(`fd/${number}`)
        if (fd < 0) return []
        try {
          const plan = readBehind(fd, inodes, device)
          return plan === undefined ? [] : [plan]
        } finally {
          trySyscall('close', fd)
        }
      }),
    ) ?? []
  )
}

/**
 * The container of Tare's that a process is in; undefined if it is in none. What it was promised stands in its plan, in
 * memory that its PID 1 has mapped, and that the process which started it keeps. A process could make up such memory:
 * what is promised is only ever held against what is found, and never believed.
 */
export const findTareContainer = (pid: number): TareContainer | undefined => {
  const init = findKeeper(pid)
  const owner = init === undefined ? undefined : statusOf(init)?.ppid
  if (init === undefined || owner === undefined) return undefined
  return { init, promised: plansOf(owner, mappedPlans(init))[0]?.promised }
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
