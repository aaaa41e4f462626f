import { ERRNO } from '../errno.ts'
import { TareError } from '../error.ts'
import { syscall, trySyscall } from '../syscall.ts'

/** A system call that waits for an answer: a filter has returned USER_NOTIF for it (seccomp_unotify(2)). */
export interface SeccompNotification {
  readonly id: bigint
  /** The thread, as the listener's pid namespace sees it. */
  readonly pid: number
  readonly nr: number
  /** AUDIT_ARCH: the call's number is of this architecture. */
  readonly audit: number
  /** Six of them. */
  readonly args: readonly bigint[]
}

/** Sizes of struct seccomp_notif and struct seccomp_notif_resp; they have never changed. */
const NOTIFICATION_SIZE = 80
const RESPONSE_SIZE = 24
/** linux/seccomp.h */
const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100
const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101
const SECCOMP_IOCTL_NOTIF_ID_VALID = 0x40082102
const SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
const POLLIN = 1
const POLLHUP = 0x10
const { ENOENT = 2, EINTR = 4 } = ERRNO

/** Decodes struct seccomp_notif, 80 bytes. */
export const decodeNotification = (bytes: Uint8Array): SeccompNotification => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, NOTIFICATION_SIZE)
  return {
    id: view.getBigUint64(0, true),
    pid: view.getUint32(8, true),
    nr: view.getInt32(16, true),
    audit: view.getUint32(20, true),
    args: Array.from({ length: 6 }, (_, index) => view.getBigUint64(32 + index * 8, true)),
  }
}

/**
 * Takes the next notification of a listener without waiting: `none` where there is none for now, `ended` where no process
 * has the filter any more. seccomp_unotify(2)
 */
export const receiveNotification = (listener: number): SeccompNotification | 'none' | 'ended' => {
  for (;;) {
    const poll = new Int16Array(4)
    new Int32Array(poll.buffer)[0] = listener
    poll[2] = POLLIN
    const ready = trySyscall('ppoll', poll, 1, new BigInt64Array(2), null, 8)
    if (ready === -EINTR) continue
    if (ready < 0) throw new TareError({ operation: 'wait for system calls', syscall: 'ppoll', errno: -ready })
    const events = poll[3] ?? 0
    if ((events & POLLIN) === 0) return (events & POLLHUP) === 0 ? 'none' : 'ended'
    const bytes = new Uint8Array(NOTIFICATION_SIZE)
    const result = trySyscall('ioctl', listener, SECCOMP_IOCTL_NOTIF_RECV, bytes)
    if (result === 0) return decodeNotification(bytes)
    // The process has been killed meanwhile, or a signal came in between.
    if (result !== -ENOENT && result !== -EINTR)
      throw new TareError({ operation: 'receive a system call', syscall: 'ioctl', errno: -result })
  }
}

/** Whether the call still waits: what was read of the process by its id was that of this process. */
export const isNotificationValid = (listener: number, id: bigint): boolean =>
  trySyscall('ioctl', listener, SECCOMP_IOCTL_NOTIF_ID_VALID, BigUint64Array.of(id)) === 0

/** Lets the call happen as if there were no filter. False where it waits no more. */
export const continueNotification = (listener: number, id: bigint): boolean => {
  const bytes = new Uint8Array(RESPONSE_SIZE)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, id, true)
  view.setUint32(20, SECCOMP_USER_NOTIF_FLAG_CONTINUE, true)
  const result = trySyscall('ioctl', listener, SECCOMP_IOCTL_NOTIF_SEND, bytes)
  if (result === 0) return true
  if (result === -ENOENT) return false
  return syscall({ operation: 'answer a system call' }, 'ioctl', listener, SECCOMP_IOCTL_NOTIF_SEND, bytes) === 0
}
