import type { ProcessCapabilities } from './capability.ts'
import { NO_CAPABILITIES } from './capability.ts'
import type { FileCapabilities } from './file-capability.ts'
import type { Securebit } from './securebits.ts'

/** What decides, besides its capabilities, over what a process has after execve(2). */
export interface ExecSituation {
  /** Its real and effective user id, as its user namespace has it: 0 is root. */
  readonly uid: number
  readonly securebits: readonly Securebit[]
  readonly noNewPrivs: boolean
  /** Those of the file, if they count on its mount. */
  readonly file?: FileCapabilities | undefined
}

/** Whether a program is given all that is in the bounding set because root runs it. */
export const isRootPrivileged = ({ uid, securebits }: Pick<ExecSituation, 'uid' | 'securebits'>): boolean =>
  uid === 0 && !securebits.includes('SECBIT_NOROOT')

/**
 * The sets of a process after it has executed a file that is not set-user-id (capabilities(7), "Transformation of
 * capabilities during execve()"). Undefined where the kernel refuses it: a file that makes its capabilities effective
 * has some that the bounding set lacks.
 */
export const capabilitiesAfterExec = (
  sets: ProcessCapabilities,
  situation: ExecSituation,
): ProcessCapabilities | undefined => {
  const { inheritable, bounding } = sets
  const { file } = situation
  const byFile =
    ((file?.permitted ?? NO_CAPABILITIES) & bounding) | ((file?.inheritable ?? NO_CAPABILITIES) & inheritable)
  // Root is refused, too, though it doesn't go by the file else.
  if (file?.effective === true && (file.permitted & ~byFile) !== NO_CAPABILITIES) return undefined
  const asRoot = isRootPrivileged(situation)
  const given = asRoot ? bounding | inheritable : byFile
  const ambient = file === undefined ? sets.ambient : NO_CAPABILITIES
  const gained = situation.noNewPrivs ? given & sets.permitted : given
  const permitted = gained | ambient
  const effective = asRoot || file?.effective === true ? permitted : ambient
  return { permitted, effective, inheritable, bounding, ambient }
}
