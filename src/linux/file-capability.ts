import type { CapabilitySet, CapabilityState } from './capability.ts'
import { NO_CAPABILITIES } from './capability.ts'
import { formatCapabilityText } from './capability-text.ts'
import { InputError } from './error.ts'
import type { XattrOptions, XattrTarget } from './xattr.ts'
import { getXattr, removeXattr, setXattr } from './xattr.ts'

/** What a program gains when it is executed (capabilities(7), "File capabilities"). */
export interface FileCapabilities {
  readonly permitted: CapabilitySet
  readonly inheritable: CapabilitySet
  /** Whether the program starts with what it gains in force; else it must raise it itself. */
  readonly effective: boolean
  /** User id, as this user namespace sees it, of the root of the namespace in which they count; absent: all. */
  readonly rootId?: number | undefined
}

/** The layout of the attribute: 1 has 32 bits a set, 2 has 64, 3 has 64 and a root id. */
export type FileCapabilityRevision = 1 | 2 | 3

export interface StoredFileCapabilities extends FileCapabilities {
  readonly revision: FileCapabilityRevision
}

/** The attribute that holds them. */
export const FILE_CAPABILITY_XATTR = 'security.capability'

const EFFECTIVE = 1
const SIZES: Readonly<Record<FileCapabilityRevision, number>> = { 1: 12, 2: 20, 3: 24 }
const WORD = 0xffffffffn

const isRevision = (value: number): value is FileCapabilityRevision => Object.hasOwn(SIZES, value)

/**
 * The bytes of the attribute (`struct vfs_cap_data`, linux/capability.h): revision 3 with a root id, else 2.
 * Throws {@link InputError} for a set of more than 64 bits or a root id that is no user id.
 */
export const encodeFileCapabilities = (capabilities: FileCapabilities): Uint8Array => {
  const { permitted, inheritable, effective, rootId } = capabilities
  if ([permitted, inheritable].some((set) => set < 0n || set >> 64n !== 0n)) {
    throw new InputError({ operation: 'encode file capabilities', reason: 'a set has 64 bits' })
  }
  if (rootId !== undefined && !(Number.isInteger(rootId) && rootId >= 0 && rootId < 0xffffffff)) {
    throw new InputError({ operation: 'encode file capabilities', reason: `${rootId} is no user id` })
  }
  const revision = rootId === undefined ? 2 : 3
  const bytes = new Uint8Array(SIZES[revision])
  const view = new DataView(bytes.buffer)
  view.setUint32(0, (revision << 24) | (effective ? EFFECTIVE : 0), true)
  view.setUint32(4, Number(permitted & WORD), true)
  view.setUint32(8, Number(inheritable & WORD), true)
  view.setUint32(12, Number(permitted >> 32n), true)
  view.setUint32(16, Number(inheritable >> 32n), true)
  if (rootId !== undefined) view.setUint32(20, rootId, true)
  return bytes
}

/** The reverse of {@link encodeFileCapabilities}, of all three revisions; throws {@link InputError} for others. */
export const decodeFileCapabilities = (bytes: Uint8Array): StoredFileCapabilities => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = bytes.length < 4 ? 0 : view.getUint32(0, true)
  const revision = magic >>> 24
  if (!isRevision(revision) || SIZES[revision] !== bytes.length) {
    throw new InputError({
      operation: 'decode file capabilities',
      reason: `${bytes.length} bytes that claim revision ${revision} are none`,
    })
  }
  const set = (offset: number): CapabilitySet =>
    BigInt(view.getUint32(offset, true)) | (revision === 1 ? 0n : BigInt(view.getUint32(offset + 8, true)) << 32n)
  const common = { revision, effective: (magic & EFFECTIVE) !== 0, permitted: set(4), inheritable: set(8) }
  return revision === 3 ? { ...common, rootId: view.getUint32(20, true) } : common
}

/**
 * What a file gives, as the three sets that the text form has: the effective flag stands for all that it gives. The
 * way of cap_get_file(3).
 */
export const fileCapabilityState = (capabilities: FileCapabilities): CapabilityState => {
  const { permitted, inheritable, effective } = capabilities
  return { permitted, inheritable, effective: effective ? permitted | inheritable : NO_CAPABILITIES }
}

/**
 * The reverse of {@link fileCapabilityState}. Throws {@link InputError} where the effective set is neither empty nor
 * all that is permitted or inheritable: a file has one flag for it, not a set.
 */
export const toFileCapabilities = (state: CapabilityState): FileCapabilities => {
  const { permitted, inheritable, effective } = state
  if (effective !== NO_CAPABILITIES && effective !== (permitted | inheritable)) {
    throw new InputError({
      operation: 'give a file the capabilities',
      target: JSON.stringify(formatCapabilityText(state)),
      reason: 'a file makes all of its capabilities effective, or none',
      hint: 'Write e for each of them that has p or i, or for none.',
    })
  }
  return { permitted, inheritable, effective: effective !== NO_CAPABILITIES }
}

/** The text form (cap_to_text(3)) of what a file gives, without the root id: `cap_net_raw=ep`. */
export const formatFileCapabilities = (capabilities: FileCapabilities): string =>
  formatCapabilityText(fileCapabilityState(capabilities))

/** The capabilities of a file, or undefined where it has none. Links are followed. */
export const readFileCapabilities = (
  file: XattrTarget,
  options: XattrOptions = {},
): StoredFileCapabilities | undefined => {
  const bytes = getXattr(file, FILE_CAPABILITY_XATTR, options)
  return bytes === undefined ? undefined : decodeFileCapabilities(bytes)
}

/** Gives a file capabilities. It takes CAP_SETFCAP; without a root id over the whole user namespace of the mount. */
export const writeFileCapabilities = (
  file: XattrTarget,
  capabilities: FileCapabilities,
  options: XattrOptions = {},
): void => setXattr(file, FILE_CAPABILITY_XATTR, encodeFileCapabilities(capabilities), options)

/** Takes a file's capabilities; false where it had none. */
export const removeFileCapabilities = (file: XattrTarget, options: XattrOptions = {}): boolean =>
  removeXattr(file, FILE_CAPABILITY_XATTR, options)
