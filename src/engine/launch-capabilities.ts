import { accessSync, closeSync, constants, statSync } from 'node:fs'
import type { CapabilitySet, ProcessCapabilities } from '../linux/capability.ts'
import { hasCapability, NO_CAPABILITIES } from '../linux/capability.ts'
import type { CapabilityChoice } from '../linux/capability-choice.ts'
import { chooseCapabilities } from '../linux/capability-choice.ts'
import type { ExecSituation } from '../linux/capability-exec.ts'
import { capabilitiesAfterExec } from '../linux/capability-exec.ts'
import { capabilityLabels } from '../linux/capability-list.ts'
import { ERRNO } from '../linux/errno.ts'
import { InputError, TareError } from '../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_PATH } from '../linux/fcntl.ts'
import type { FileCapabilities } from '../linux/file-capability.ts'
import { decodeFileCapabilities, FILE_CAPABILITY_XATTR, formatFileCapabilities } from '../linux/file-capability.ts'
import { getNoNewPrivs } from '../linux/prctl.ts'
import { readProcessCapabilities } from '../linux/process-capability.ts'
import type { Securebit } from '../linux/securebits.ts'
import { getSecurebits, securebitsMask } from '../linux/securebits.ts'
import { filesystemStatus } from '../linux/statfs.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'
import { getXattr } from '../linux/xattr.ts'
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
  /**
   * The program, as it will be called. A file that has capabilities of its own gives those instead of what is handed on:
   * with it, one that would so come to lack what it is to have is refused.
   */
  readonly program?: string | undefined
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

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    // Where there is none, or none that this user may execute, the search goes on, as execvp(3) does.
    return false
  }
}

/** Where execvp(3) finds a program; undefined where it doesn't. */
const findProgram = (name: string): string | undefined =>
  name.includes('/')
    ? name
    : (process.env['PATH'] ?? '')
        .split(':')
        .map((directory) => `${directory || '.'}/${name}`)
        .find(isExecutable)

/** The capabilities that a file will give; undefined where it gives none, and where it can't be looked at. */
const programCapabilities = (path: string): FileCapabilities | undefined => {
  // That there is no such file, or none that may be executed, is for execve(2) to say.
  const fd = trySyscall('openat', AT_FDCWD, path, O_PATH | O_CLOEXEC, 0)
  if (fd < 0) return undefined
  try {
    const value = filesystemStatus(fd).nosuid ? undefined : getXattr(`/proc/self/fd/${fd}`, FILE_CAPABILITY_XATTR)
    return value === undefined ? undefined : decodeFileCapabilities(value)
  } catch (error) {
    if (error instanceof TareError && error.errno === ERRNO['EOPNOTSUPP']) return undefined
    throw error
  } finally {
    closeSync(fd)
  }
}

const checkProgram = (
  name: string,
  { add = NO_CAPABILITIES, keep = NO_CAPABILITIES }: CapabilityChoice,
  chosen: ProcessCapabilities,
  situation: ExecSituation,
): void => {
  const path = findProgram(name)
  const file = path === undefined ? undefined : programCapabilities(path)
  if (path === undefined || file === undefined) return
  const after = capabilitiesAfterExec(chosen, { ...situation, file })
  const text = formatFileCapabilities(file)
  const refuse = (reason: string, hint: string): InputError =>
    new InputError({ operation: 'start', target: path, reason, hint })
  if (after === undefined) {
    const lost = capabilityLabels(file.permitted & ~chosen.bounding).join(', ')
    throw refuse(
      `its file is to make ${text} effective, and the kernel refuses that without ${lost} in the bounding set`,
      'A copy of the file has no capabilities.',
    )
  }
  const lacking = capabilityLabels((add | keep) & ~after.effective).join(', ')
  if (lacking === '') return
  throw refuse(`its file has capabilities of its own, ${text}, instead of ${lacking}`, 'A copy of the file has none.')
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
  program,
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
  const capabilities = chooseCapabilities(choice, present, situation)
  if (program !== undefined) checkProgram(program, choice, capabilities, situation)
  return {
    capabilities,
    noNewPrivileges,
    ...(user !== undefined && { user }),
    ...(securebits !== undefined && { securebits }),
  }
}
