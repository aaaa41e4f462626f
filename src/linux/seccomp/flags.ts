import { ERRNO } from '../errno.ts'
import { trySyscall } from '../syscall.ts'
import { SECCOMP_FILTER_FLAG, SECCOMP_SET_MODE_FILTER } from './compile.ts'
import type { SeccompFlag } from './profile.ts'
import { SECCOMP_FLAGS } from './profile.ts'

const { TSYNC, LOG, SPEC_ALLOW, NEW_LISTENER, WAIT_KILLABLE_RECV } = SECCOMP_FILTER_FLAG

/** The last is for listeners, and refused without one. */
const PROBES: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: TSYNC,
  SECCOMP_FILTER_FLAG_LOG: LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: NEW_LISTENER | WAIT_KILLABLE_RECV,
}

const EFAULT = -(ERRNO['EFAULT'] ?? 14)

/**
 * The flags of a profile that this kernel has. It is asked to set a filter that there isn't: it looks at the flags
 * first, and complains of the address only if it knows them (seccomp(2)).
 */
export const supportedSeccompFlags = (): readonly SeccompFlag[] =>
  SECCOMP_FLAGS.filter((flag) => trySyscall('seccomp', SECCOMP_SET_MODE_FILTER, PROBES[flag], null) === EFAULT)
