import type { CapabilitySet } from '../linux/capability.ts'
import { hasCapability } from '../linux/capability.ts'
import type { CapabilityChoice } from '../linux/capability-choice.ts'
import { chooseCapabilities } from '../linux/capability-choice.ts'
import type { ExecSituation } from '../linux/capability-exec.ts'
import { ERRNO } from '../linux/errno.ts'
import { InputError, TareError } from '../linux/error.ts'
import { getNoNewPrivs } from '../linux/prctl.ts'
import { readProcessCapabilities } from '../linux/process-capability.ts'
import type { Securebit } from '../linux/securebits.ts'
import { getSecurebits, securebitsMask } from '../linux/securebits.ts'
import { syscall } from '../linux/syscall.ts'
import type { LaunchOptions } from './launch-options.ts'
import { resolveUser } from './resolve-user.ts'

/** Which capabilities a program of this host is to have, and as whom it runs. */
export interface CapabilityLaunchOptions extends CapabilityChoice {
  /** `name`, `uid`, or either with `:group`. Default: as this process. */
  readonly user?: string | number | undefined
  /** Default: those of this process. */
  readonly securebits?: readonly Securebit[] | undefined
  /** Whether neither it nor what it starts can gain privileges by the files that it executes. */
  readonly noNewPrivileges?: boolean | undefined
}

const userId = (user: string | number | undefined): number =>
  user === undefined ? syscall({ operation: 'find the own user' }, 'geteuid') : resolveUser(user, [], '/').uid

/** Throws where the securebits can't become these, or wouldn't stay so. */
const checkSecurebits = (
  securebits: readonly Securebit[],
  present: readonly Securebit[],
  permitted: CapabilitySet,
): void => {
  if (securebits.includes('SECBIT_KEEP_CAPS')) {
    throw new InputError({
      operation: 'start a program with securebit',
      target: 'keep_caps',
      reason: 'it does not outlive execve(2)',
      hint: 'What is added or kept is handed on to the program without it.',
    })
  }
  if (securebitsMask(securebits) === securebitsMask(present) || hasCapability(permitted, 'CAP_SETPCAP')) return
  const hint = 'It takes cap_setpcap: be root, for example by sudo.'
  throw new TareError({ operation: 'change the securebits', errno: ERRNO['EPERM'], hint })
}

/**
 * The options by which `launch` starts a program with chosen capabilities. Throws as {@link chooseCapabilities}, before
 * anything is started, for what this process can't hand on or give up.
 *
 * @example
 * ```ts
 * const bind = capabilitySet(['net_bind_service'])
 * await launch(['nginx'], launchCapabilities({ keep: bind, user: 'www-data' }))
 * ```
 */
export const launchCapabilities = ({
  user,
  securebits,
  noNewPrivileges = false,
  ...choice
}: CapabilityLaunchOptions): Pick<LaunchOptions, 'user' | 'capabilities' | 'securebits' | 'noNewPrivileges'> => {
  const present = readProcessCapabilities()
  const bits = getSecurebits()
  if (securebits !== undefined) checkSecurebits(securebits, bits, present.permitted)
  const situation: ExecSituation = {
    uid: userId(user),
    securebits: securebits ?? bits,
    noNewPrivs: noNewPrivileges || getNoNewPrivs(),
  }
  return {
    capabilities: chooseCapabilities(choice, present, situation),
    noNewPrivileges,
    ...(user !== undefined && { user }),
    ...(securebits !== undefined && { securebits }),
  }
}
