import * as prctl from '../../linux/prctl.ts'
import type { Named } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'

/** Operations of prctl(2) as operands. */
export const PR_SET_PDEATHSIG: Named = named(prctl.PR_SET_PDEATHSIG, 'PR_SET_PDEATHSIG')
export const PR_SET_DUMPABLE: Named = named(prctl.PR_SET_DUMPABLE, 'PR_SET_DUMPABLE')
export const PR_SET_KEEPCAPS: Named = named(prctl.PR_SET_KEEPCAPS, 'PR_SET_KEEPCAPS')
export const PR_CAPBSET_DROP: Named = named(prctl.PR_CAPBSET_DROP, 'PR_CAPBSET_DROP')
export const PR_SET_NO_NEW_PRIVS: Named = named(prctl.PR_SET_NO_NEW_PRIVS, 'PR_SET_NO_NEW_PRIVS')
export const PR_CAP_AMBIENT: Named = named(prctl.PR_CAP_AMBIENT, 'PR_CAP_AMBIENT')
export const PR_CAP_AMBIENT_RAISE: Named = named(prctl.PR_CAP_AMBIENT_RAISE, 'PR_CAP_AMBIENT_RAISE')
export const PR_CAP_AMBIENT_CLEAR_ALL: Named = named(prctl.PR_CAP_AMBIENT_CLEAR_ALL, 'PR_CAP_AMBIENT_CLEAR_ALL')
