import { checkKnownCapabilities } from './capability-list.ts'
import type { FileCapabilities, StoredFileCapabilities } from './file-capability.ts'
import { encodeFileCapabilities, fileCapabilityState } from './file-capability.ts'
import type { FileCapabilityDoubt } from './held-file-capability.ts'
import {
  clearHeldCapabilities,
  heldCapabilities,
  READ,
  REMOVE,
  setHeldCapabilities,
  WRITE,
} from './held-file-capability.ts'
import { HeldFile } from './held-file.ts'

export type { FileCapabilityDoubt } from './held-file-capability.ts'

/**
 * The capabilities of a regular file, itself, not of what a symbolic link leads to; undefined where it has none, or is on
 * a file system that holds none. Throws {@link InputError} for what is no regular file.
 */
export const getFileCapabilities = (path: string): StoredFileCapabilities | undefined => {
  const file = new HeldFile(READ, path)
  try {
    return heldCapabilities(file)
  } finally {
    file.close()
  }
}

/** What of a file's capabilities isn't as it should be. */
export type FileCapabilityPart = 'effective' | 'inheritable' | 'permitted' | 'rootId'

/**
 * In what a file's capabilities differ from those wanted: nothing if they are the same. A file that has none differs from
 * all but the empty sets. Throws as {@link getFileCapabilities}.
 */
export const verifyFileCapabilities = (path: string, wanted: FileCapabilities): readonly FileCapabilityPart[] => {
  const none: FileCapabilities = { permitted: 0n, inheritable: 0n, effective: false }
  const found = getFileCapabilities(path) ?? none
  const [is, should] = [fileCapabilityState(found), fileCapabilityState(wanted)]
  const parts = (['effective', 'inheritable', 'permitted'] as const).filter((part) => is[part] !== should[part])
  return (found.rootId ?? 0) === (wanted.rootId ?? 0) ? parts : [...parts, 'rootId']
}

/** Holds all files while they are changed. */
const changePaths = <T>(operation: string, paths: readonly string[], change: (files: readonly HeldFile[]) => T): T => {
  const files: HeldFile[] = []
  try {
    for (const path of paths) files.push(new HeldFile(operation, path))
    return change(files)
  } finally {
    for (const file of files) file.close()
  }
}

/**
 * Gives each of these regular files the same capabilities: to all of them, or, if that fails for one, to none. Returns
 * why they will have no effect, where that is to be seen. It takes CAP_SETFCAP.
 *
 * @throws InputError for what is no regular file, sets with a capability that this kernel doesn't know, or a root id that
 * is no user id; TareError where a file system holds no capabilities or the privilege is missing.
 */
export const setFileCapabilities = (
  paths: readonly string[],
  capabilities: FileCapabilities,
): readonly FileCapabilityDoubt[] => {
  checkKnownCapabilities(capabilities.permitted | capabilities.inheritable)
  encodeFileCapabilities(capabilities)
  return changePaths(WRITE, paths, (files) => setHeldCapabilities(files, capabilities))
}

/**
 * Takes the capabilities of these regular files: of all, or, if that fails for one, of none. Returns for each whether it
 * had any. It takes CAP_SETFCAP; throws as {@link setFileCapabilities}.
 */
export const clearFileCapabilities = (paths: readonly string[]): readonly boolean[] =>
  changePaths(REMOVE, paths, clearHeldCapabilities)
