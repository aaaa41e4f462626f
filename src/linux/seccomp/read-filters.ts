import { ERRNO, errnoName } from '../errno.ts'
import { TareError } from '../error.ts'
import { trySyscall } from '../syscall.ts'
import { INSTRUCTION_SIZE } from './bpf.ts'

/** Requests of ptrace(2) (linux/ptrace.h). */
const PTRACE_DETACH = 17
const PTRACE_SEIZE = 0x4206
const PTRACE_INTERRUPT = 0x4207
const PTRACE_SECCOMP_GET_FILTER = 0x420c

const WNOHANG = 1
const WALL = 0x40000000

/** How long the process may take to stop, in milliseconds: one that waits for a disk doesn't, until it has it. */
const PATIENCE = 500

const HINTS: Readonly<Record<string, string>> = {
  EPERM: 'It takes CAP_SYS_PTRACE, and that no other process traces it.',
  EACCES: 'It takes CAP_SYS_ADMIN outside any user namespace, and that this process has no filter itself.',
  EINVAL: 'This kernel keeps no filters to be read (CONFIG_CHECKPOINT_RESTORE).',
  EIO: 'This kernel keeps no filters to be read (CONFIG_CHECKPOINT_RESTORE).',
}

const failed = (pid: number, errno: number): TareError =>
  new TareError({
    operation: 'read the filters of system calls of',
    target: `process ${pid}`,
    syscall: 'ptrace',
    errno,
    hint: HINTS[errnoName(errno)],
  })

const pause = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

const awaitStop = (pid: number): void => {
  const status = new Int32Array(1)
  for (const began = performance.now(); performance.now() - began < PATIENCE; pause(1)) {
    const result = trySyscall('wait4', pid, status, WNOHANG | WALL, null)
    if (result === pid) return
    if (result < 0) throw failed(pid, -result)
  }
  throw failed(pid, ERRNO['ETIMEDOUT'] ?? 110)
}

const readFilter = (pid: number, index: number): Uint8Array | undefined => {
  const count = trySyscall('ptrace', PTRACE_SECCOMP_GET_FILTER, pid, index, null)
  if (count === -(ERRNO['ENOENT'] ?? 2)) return undefined
  if (count < 0) throw failed(pid, -count)
  const program = new Uint8Array(count * INSTRUCTION_SIZE)
  const again = trySyscall('ptrace', PTRACE_SECCOMP_GET_FILTER, pid, index, program)
  if (again < 0) throw failed(pid, -again)
  return program
}

/**
 * The filters of a process (of its main thread), as they were given to the kernel. It is stopped for that: a fraction of a
 * millisecond, after which a system call that it waits in may end with EINTR (signal(7)). `isStill` is asked once it can't
 * end any more: whether the process of that number is the one that is meant.
 *
 * @throws TareError if it may not be traced, or the kernel shows no filters. ptrace(2), PTRACE_SECCOMP_GET_FILTER
 */
export const readSeccompFilters = (pid: number, isStill: () => void): readonly Uint8Array[] => {
  const seized = trySyscall('ptrace', PTRACE_SEIZE, pid, null, 0)
  if (seized < 0) throw failed(pid, -seized)
  try {
    const interrupted = trySyscall('ptrace', PTRACE_INTERRUPT, pid, null, 0)
    if (interrupted < 0) throw failed(pid, -interrupted)
    awaitStop(pid)
    isStill()
    const filters: Uint8Array[] = []
    for (let filter = readFilter(pid, 0); filter !== undefined; filter = readFilter(pid, filters.length))
      filters.push(filter)
    return filters
  } finally {
    trySyscall('ptrace', PTRACE_DETACH, pid, null, 0)
  }
}
