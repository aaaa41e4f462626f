import { errnoName } from '../errno.ts'

/** The actions of the OCI runtime-spec, in libseccomp's names. */
export const SECCOMP_ACTIONS = [
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_NOTIFY',
] as const

export type SeccompAction = (typeof SECCOMP_ACTIONS)[number]

/** What a filter returns (seccomp(2), linux/seccomp.h): the action above, data in the low 16 bits. */
export const SECCOMP_RET = {
  KILL_PROCESS: 0x8000_0000,
  KILL_THREAD: 0,
  TRAP: 0x0003_0000,
  ERRNO: 0x0005_0000,
  USER_NOTIF: 0x7fc0_0000,
  TRACE: 0x7ff0_0000,
  LOG: 0x7ffc_0000,
  ALLOW: 0x7fff_0000,
} as const

const RETURNS: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: SECCOMP_RET.KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET.KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET.KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_RET.TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET.ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET.TRACE,
  SCMP_ACT_ALLOW: SECCOMP_RET.ALLOW,
  SCMP_ACT_LOG: SECCOMP_RET.LOG,
  SCMP_ACT_NOTIFY: SECCOMP_RET.USER_NOTIF,
}

const EPERM = 1

/** Whether an action carries a number: the errno, or what the tracer reads. */
export const takesErrno = (action: SeccompAction): boolean => action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE'

/** The value a filter returns for an action. The number defaults to EPERM, as the runtime-spec says. */
export const seccompReturn = (action: SeccompAction, errnoRet: number = EPERM): number =>
  takesErrno(action) ? RETURNS[action] + (errnoRet & 0xffff) : RETURNS[action]

/** Of two returned values the one the kernel prefers, which is the more restrictive; the first of equals. */
export const moreRestrictive = (a: number, b: number): number =>
  ((b & 0xffff_0000) | 0) < ((a & 0xffff_0000) | 0) ? b : a

/** A returned value in words: `allow`, `errno EPERM`, `kill process`. */
export const describeSeccompReturn = (value: number): string => {
  const data = value & 0xffff
  switch ((value & 0xffff_0000) >>> 0) {
    case SECCOMP_RET.KILL_PROCESS:
      return 'kill process'
    case SECCOMP_RET.KILL_THREAD:
      return 'kill thread'
    case SECCOMP_RET.TRAP:
      return 'trap'
    case SECCOMP_RET.ERRNO:
      return `errno ${data === 0 ? '0' : errnoName(data)}`
    case SECCOMP_RET.USER_NOTIF:
      return 'notify'
    case SECCOMP_RET.TRACE:
      return `trace ${data}`
    case SECCOMP_RET.LOG:
      return 'log'
    case SECCOMP_RET.ALLOW:
      return 'allow'
    default:
      return `0x${value.toString(16)}`
  }
}
