import { Buffer } from 'node:buffer'
import { binding } from '../linux/binding.ts'
import { ERRNO, errnoName } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import { CLONE_NEWUSER } from '../linux/namespace.ts'
import { whenEnded } from '../linux/pidfd.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'
import type { WaitResult } from '../linux/wait.ts'
import { waitid } from '../linux/wait.ts'
import { stepError } from '../plan/failure.ts'
import type { Step } from '../plan/step.ts'

const MFD_CLOEXEC = 1
const O_CLOEXEC = 0o2000000
/** native/plan.h: struct plan_header, fields `data` and `at`. */
const HEADER_DATA = 20
const HEADER_AT = 28

const HAND_OVER = { operation: 'hand over the plan' }

/** A memfd for a plan. The stage maps it and notes in it which step it takes. The caller closes it. */
export const planMemory = (): number => syscall(HAND_OVER, 'memfd_create', 'tare-plan', MFD_CLOEXEC)

/** Writes a plan's bytes to its memfd. */
export const writePlan = (fd: number, bytes: Uint8Array): void => {
  const written = trySyscall('write', fd, bytes, bytes.length)
  if (written === bytes.length) return
  throw new TareError({ ...HAND_OVER, syscall: 'write', errno: written < 0 ? -written : ERRNO['ENOSPC'] })
}

/** Both at once. */
export const planDescriptor = (bytes: Uint8Array): number => {
  const fd = planMemory()
  try {
    writePlan(fd, bytes)
    return fd
  } catch (error) {
    trySyscall('close', fd)
    throw error
  }
}

/** The step that the stage was taking when it was last seen. */
export const stepTaken = (planFd: number): number => {
  const at = Buffer.alloc(4)
  syscall({ operation: 'see how far the stage came' }, 'pread64', planFd, at, 4, HEADER_AT)
  return at.readUInt32LE(0)
}

/** What the stage, or the kernel for it, has noted in the data: 4 bytes at an offset. */
export const wordNoted = (planFd: number, offset: number): number => {
  const purpose = { operation: 'see what the stage has noted' }
  const word = Buffer.alloc(4)
  syscall(purpose, 'pread64', planFd, word, 4, HEADER_DATA)
  syscall(purpose, 'pread64', planFd, word, 4, word.readUInt32LE(0) + offset)
  return word.readUInt32LE(0)
}

/** Both ends of a pipe, close-on-exec: [read, write] (pipe(2)). */
export const makePipe = (): readonly [read: number, write: number] => {
  const ends = new Int32Array(2)
  syscall({ operation: 'make a pipe' }, 'pipe2', ends, O_CLOEXEC)
  return [ends[0] ?? -1, ends[1] ?? -1]
}

export interface StageProcess {
  readonly pid: number
  readonly pidfd: number
  /** What the addon knows it by. */
  readonly child: bigint
  /** Whether it waits for its id maps. */
  readonly held: boolean
  /** The namespaces that it makes before it is the stage. */
  readonly unshare: Unshare | undefined
  /** Where it is the child of another process than this: how that is done which only this one could do. */
  readonly parent?: StageParent
}

/** A process that has made another one for us, to be the stage. */
export interface StageParent {
  /** As {@link proceed}. */
  readonly proceed: () => void
  /** As {@link finishStage}. */
  readonly finish: () => Promise<WaitResult>
}

/** Namespaces that a process makes while Tare writes its plan. */
export interface Unshare {
  /** CLONE_ flags; for tests a negative errno, to fail with. */
  readonly flags: number
  /** What it is in words. */
  readonly step: Step
}

const START_HINTS: Readonly<Record<string, string>> = {
  EPERM: 'This user may not make these namespaces here: see "tare info" for what this host allows.',
  EAGAIN: 'A limit on the number of processes is reached (RLIMIT_NPROC, pids.max).',
  ENOSPC: 'A limit in /proc/sys/user/max_*_namespaces is reached.',
  EACCES: 'Memory that programs run from is not allowed here (vm.memfd_noexec, or a security module).',
  EINVAL: 'The id maps leave out root: map id 0 of the container.',
  EBUSY: 'The cgroup has controllers enabled for its children, so no process may be in it.',
}

/**
 * Starts the stage. `slots[i]` becomes its descriptor i (-1: closed). `cgroup`: a directory of cgroup v2 that it is born
 * in. Costs the same whatever the size of this process, and waits for nothing.
 *
 * With CLONE_NEWUSER among the flags it isn't the stage yet, and waits for {@link proceed}. With namespaces to make it
 * makes those then, and waits for {@link proceed} once more, so that the plan can be written meanwhile.
 */
export const startStage = (
  flags: number,
  slots: readonly number[],
  cgroup?: number,
  unshare?: Unshare,
): StageProcess => {
  const result = new BigInt64Array(2)
  const held = (flags & CLONE_NEWUSER) !== 0
  const pid = binding.start(flags, Int32Array.from(slots), cgroup ?? -1, held, unshare?.flags ?? 0, result)
  if (pid < 0) throw startError(-pid, undefined)
  return { pid, pidfd: Number(result[0]), child: result[1] ?? 0n, held, unshare }
}

/** Errnos are below this; the addon adds it to those of the unshare. */
const ERRNOS = 4096

const startError = (code: number, unshare: Unshare | undefined): TareError =>
  code > ERRNOS && unshare !== undefined
    ? stepError(unshare.step, code - ERRNOS)
    : new TareError({
        operation: 'start the stage',
        syscall: 'clone3',
        errno: code,
        hint: START_HINTS[errnoName(code)],
      })

/** Lets a waiting stage go on. */
export const proceed = ({ child, parent }: StageProcess): void => {
  if (parent === undefined) binding.proceed(child)
  else parent.proceed()
}

/** Resolves when the process has ended, and reaps it; its pidfd is the caller's to close. Rejects if it never became the stage. */
export const finishStage = async ({ pid, pidfd, child, unshare, parent }: StageProcess): Promise<WaitResult> => {
  if (parent !== undefined) return parent.finish()
  let waited = waitid({ pidfd })
  if (waited === undefined) {
    await whenEnded(pidfd)
    waited = waitid({ pidfd })
  }
  const result = binding.finish(child)
  if (result < 0) throw startError(-result, unshare)
  if (waited === undefined) throw new TareError({ operation: 'wait for', target: `process ${pid}` })
  return waited
}
