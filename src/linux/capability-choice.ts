import type { CapabilitySet, ProcessCapabilities } from './capability.ts'
import { hasCapability, NO_CAPABILITIES } from './capability.ts'
import type { ExecSituation } from './capability-exec.ts'
import { isRootPrivileged } from './capability-exec.ts'
import { capabilityLabels } from './capability-list.ts'
import { ERRNO } from './errno.ts'
import { InputError, TareError } from './error.ts'

/** Which capabilities a program is to have, as a person says it. */
export interface CapabilityChoice {
  /** Gone from all five sets. */
  readonly drop?: CapabilitySet | undefined
  /** All others are gone from all five sets, and the program has these in force. */
  readonly keep?: CapabilitySet | undefined
  /** The program has these in force, whoever runs it. */
  readonly add?: CapabilitySet | undefined
  /** The sets as they are to be. What is ambient is made inheritable too, unless that set is given. */
  readonly bounding?: CapabilitySet | undefined
  readonly inheritable?: CapabilitySet | undefined
  readonly ambient?: CapabilitySet | undefined
}

const list = (set: CapabilitySet): string => capabilityLabels(set).join(', ')

const contradiction = (set: CapabilitySet, reason: string): void => {
  if (set === NO_CAPABILITIES) return
  throw new InputError({ operation: 'start a program with', target: list(set), reason })
}

const lacking = (operation: string, set: CapabilitySet, hint: string): void => {
  if (set === NO_CAPABILITIES) return
  throw new TareError({ operation, target: list(set), errno: ERRNO['EPERM'], hint })
}

const BE_ROOT = 'be root, for example by sudo'

const REGAIN =
  `To take from the bounding set takes cap_setpcap: ${BE_ROOT}. ` +
  'With no_new_privs it can stay there: nothing of it can be gained then.'

/** What is left of the bounding set. */
const boundingOf = (
  { bounding }: CapabilityChoice,
  gone: CapabilitySet,
  present: ProcessCapabilities,
  noNewPrivs: boolean,
): CapabilitySet => {
  const mayDrop = hasCapability(present.permitted, 'CAP_SETPCAP')
  const wanted = bounding ?? present.bounding
  lacking('add to the bounding set', wanted & ~present.bounding, 'Nobody can: it only ever gets smaller.')
  if (!mayDrop) lacking('take from the bounding set', present.bounding & ~wanted, REGAIN)
  if (mayDrop) return wanted & ~gone
  if (!noNewPrivs) lacking('take from the bounding set', present.bounding & gone, REGAIN)
  return wanted
}

/**
 * The five sets that a process must have before it executes a program, so that the program comes to have those chosen.
 * `present` are the sets of this process; the situation is that of the program: its user, and securebits and no_new_privs
 * as they will be.
 *
 * A program that root runs is given all of its bounding set by the kernel. For others, what they are to have goes through
 * the ambient set; a file with capabilities of its own, or set-user-id, has it cleared.
 *
 * @throws InputError for a choice that contradicts itself; TareError (`EPERM`) for what this process can't hand on or give
 * up, with the privilege that it takes.
 */
export const chooseCapabilities = (
  choice: CapabilityChoice,
  present: ProcessCapabilities,
  situation: ExecSituation,
): ProcessCapabilities => {
  const { drop = NO_CAPABILITIES, keep, add = NO_CAPABILITIES } = choice
  const wanted = add | (keep ?? NO_CAPABILITIES)
  contradiction(wanted & drop, 'they are both to be had and to be dropped')
  const handOn = `${BE_ROOT[0]?.toUpperCase()}${BE_ROOT.slice(1)}: this process is not permitted it itself.`
  lacking('start a program with', wanted & ~present.permitted, handOn)

  const gone = drop | (keep === undefined ? NO_CAPABILITIES : ~wanted & ((1n << 64n) - 1n))
  const bounding = boundingOf(choice, gone, present, situation.noNewPrivs)
  const carried = isRootPrivileged(situation) ? wanted & ~bounding : wanted

  const asked = choice.inheritable ?? present.inheritable | (choice.ambient ?? NO_CAPABILITIES)
  const inheritable = (asked & ~gone) | carried
  const added = inheritable & ~present.inheritable
  lacking('make inheritable', added & ~present.bounding, 'They are not in the bounding set, which nobody can add to.')
  if (!hasCapability(present.permitted, 'CAP_SETPCAP')) {
    lacking('make inheritable', added & ~present.permitted, `It takes cap_setpcap, or to have them: ${BE_ROOT}.`)
  }

  const ambient = ((choice.ambient ?? present.ambient & inheritable) & ~gone) | carried
  contradiction(ambient & ~inheritable, 'what is ambient must be inheritable too')
  const permitted = present.permitted & ~gone
  lacking('make ambient', ambient & ~permitted, handOn)
  return { permitted, effective: present.effective & ~gone, inheritable, bounding, ambient }
}
