import { syscall } from './syscall.ts'

/** Operations of prctl(2) that this library, or a plan, uses (linux/prctl.h). */
export const PR_SET_PDEATHSIG = 1
export const PR_GET_DUMPABLE = 3
export const PR_SET_DUMPABLE = 4
export const PR_SET_KEEPCAPS = 8
export const PR_SET_NAME = 15
export const PR_CAPBSET_READ = 23
export const PR_CAPBSET_DROP = 24
export const PR_GET_SECUREBITS = 27
export const PR_SET_SECUREBITS = 28
export const PR_SET_CHILD_SUBREAPER = 36
export const PR_SET_NO_NEW_PRIVS = 38
export const PR_GET_NO_NEW_PRIVS = 39
export const PR_CAP_AMBIENT = 47
export const PR_CAP_AMBIENT_IS_SET = 1
export const PR_CAP_AMBIENT_RAISE = 2
export const PR_CAP_AMBIENT_LOWER = 3
export const PR_CAP_AMBIENT_CLEAR_ALL = 4

/** Whether this thread can never gain privileges by execve(2) again (PR_GET_NO_NEW_PRIVS(2const)). */
export const getNoNewPrivs = (): boolean =>
  syscall({ operation: 'read no_new_privs' }, 'prctl', PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) === 1

/** Bars this thread, and all that it starts, from gaining privileges by execve(2). It can't be undone. */
export const setNoNewPrivs = (): void => {
  syscall({ operation: 'set no_new_privs' }, 'prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}
