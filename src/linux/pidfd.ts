import { readFileSync } from 'node:fs'

import { binding } from './binding.ts'
import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { hintedSyscall } from './hinted-syscall.ts'
import { signalName } from './signal.ts'
import { syscall, trySyscall } from './syscall.ts'

/** A descriptor that stands for a process and for no other that may get its number later. pidfd_open(2) */
export const openPidfd = (pid: number): number =>
  syscall({ operation: 'open a descriptor of process', target: `${pid}` }, 'pidfd_open', pid, 0)

/**
 * Sends a signal to the process of a pidfd; with 0 only looks whether it is there. False where it has ended and
 * been waited for. Throws where it may not be signalled. pidfd_send_signal(2)
 */
export const sendPidfdSignal = (pidfd: number, signal: number): boolean => {
  const result = trySyscall('pidfd_send_signal', pidfd, signal, null, 0)
  if (result === 0) return true
  if (-result === ERRNO['ESRCH']) return false
  throw new TareError({
    operation: `send ${signal === 0 ? 'nothing' : signalName(signal)} to the process of`,
    target: `pidfd ${pidfd}`,
    syscall: 'pidfd_send_signal',
    errno: -result,
    hint:
      -result === ERRNO['EPERM'] ? 'It belongs to another user: that takes CAP_KILL in its user namespace.' : undefined,
  })
}

/**
 * The number of a pidfd's process as this pid namespace sees it; undefined where it has ended and been waited for,
 * 0 where it lives outside of this namespace. /proc/self/fdinfo, pidfd_open(2)
 */
export const pidfdPid = (pidfd: number): number | undefined => {
  const operation = 'find the process of'
  const target = `pidfd ${pidfd}`
  let text: string
  try {
    text = readFileSync(`/proc/self/fdinfo/${pidfd}`, 'ascii')
  } catch (cause) {
    throw new TareError({ operation, target, errno: ERRNO['EBADF'], cause })
  }
  const digits = /^Pid:\s*(-?[0-9]+)$/m.exec(text)?.[1]
  if (digits === undefined) throw new TareError({ operation, target, reason: 'the descriptor is none of a process' })
  const pid = Number(digits)
  return pid < 0 ? undefined : pid
}

/** A duplicate, with close-on-exec, of a descriptor of a pidfd's process. Close it. pidfd_getfd(2) */
export const duplicateDescriptor = (pidfd: number, fd: number): number => {
  const hints = { EPERM: 'It takes the right to trace the process (ptrace(2), PTRACE_MODE_ATTACH_REALCREDS).' }
  const purpose = { operation: `duplicate descriptor ${fd} of the process of`, target: `pidfd ${pidfd}` }
  return hintedSyscall(purpose, hints, 'pidfd_getfd', pidfd, fd, 0)
}

/** Resolves when the process of a pidfd has ended. The pidfd must stay open until then. */
export const whenEnded = (pidfd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const result = binding.watch(pidfd, resolve)
    if (result < 0) reject(new TareError({ operation: 'watch', target: `pidfd ${pidfd}`, errno: -result }))
  })
