import { closeSync, openSync, readSync } from 'node:fs'

import { hasCapability } from './capability.ts'
import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import type { FileCapabilities, StoredFileCapabilities } from './file-capability.ts'
import {
  FILE_CAPABILITY_XATTR,
  readFileCapabilities,
  removeFileCapabilities,
  writeFileCapabilities,
} from './file-capability.ts'
import type { HeldFile } from './held-file.ts'
import { readMountinfo } from './mountinfo.ts'
import { getThreadCapabilities } from './process-capability.ts'
import { getXattr, setXattr } from './xattr.ts'

export const READ = 'read the capabilities of'
export const WRITE = 'give capabilities to'
export const REMOVE = 'take the capabilities of'

const PRIVILEGE =
  'It takes CAP_SETFCAP in the user namespace that the file system belongs to: do it as root, as by sudo.'

/** The capabilities of a file that is held; undefined where it has none, or its file system holds none. */
export const heldCapabilities = (file: HeldFile): StoredFileCapabilities | undefined => {
  try {
    return readFileCapabilities(file.magicPath, { purpose: { operation: READ, target: file.path } })
  } catch (error) {
    if (error instanceof TareError && error.errno === ERRNO['EOPNOTSUPP']) return undefined
    throw error
  }
}

/** Why capabilities that were set will have no effect. */
export interface FileCapabilityDoubt {
  readonly path: string
  /** A clause: `it is a script: the kernel looks at those of its interpreter`. */
  readonly reason: string
}

const refuse = (operation: string, path: string, errno: string, hint: string): TareError =>
  new TareError({ operation, target: path, errno: ERRNO[errno], hint })

/** The top of the mount that a file lies on, as a place to name. */
const mountOf = ({ path, status }: HeldFile): string =>
  readMountinfo().find(({ id }) => id === status.mount)?.mountPoint ?? `the mount of ${path}`

/** Throws what would make a change fail, before the first one is made. Returns the bytes that there are now. */
const checkChange = (operation: string, file: HeldFile): Uint8Array | undefined => {
  const before = getXattr(file.magicPath, FILE_CAPABILITY_XATTR, { purpose: { operation, target: file.path } })
  const { status, filesystem } = file
  if (filesystem.readOnly) throw refuse(operation, file.path, 'EROFS', `${mountOf(file)} is mounted read-only.`)
  if (status.immutable || status.appendOnly) {
    const [what, flag] = status.immutable ? ['immutable', 'i'] : ['append-only', 'a']
    throw refuse(operation, file.path, 'EPERM', `It is ${what}: "chattr -${flag}" takes that away.`)
  }
  if (!hasCapability(getThreadCapabilities().effective, 'CAP_SETFCAP')) {
    throw refuse(operation, file.path, 'EPERM', PRIVILEGE)
  }
  return before
}

/** Whether a file starts with `#!`; false where it may not be read. */
const isScript = (file: HeldFile): boolean => {
  try {
    const fd = openSync(file.magicPath, 'r')
    try {
      const start = Buffer.alloc(2)
      readSync(fd, start)
      return start.toString('latin1') === '#!'
    } finally {
      closeSync(fd)
    }
  } catch {
    // It is only for a remark; what can't be read is not remarked on.
    return false
  }
}

const doubtsOf = (file: HeldFile): readonly FileCapabilityDoubt[] => {
  const reasons = [
    file.filesystem.nosuid ? `${mountOf(file)} is mounted nosuid` : undefined,
    isScript(file) ? 'it is a script: the kernel looks at those of its interpreter' : undefined,
    (file.status.mode & 0o111) === 0 ? 'nobody may execute it' : undefined,
  ]
  return reasons.flatMap((reason) => (reason === undefined ? [] : [{ path: file.path, reason }]))
}

/** A file to be changed, with the bytes that it has now. */
interface Candidate {
  readonly file: HeldFile
  readonly before: Uint8Array | undefined
}

/** Puts back what the files had. It can fail no more than the change did, and the change's own failure is what counts. */
const putBack = (changed: readonly Candidate[]): void => {
  for (const { file, before } of changed) {
    const purpose = { operation: 'give back the capabilities of', target: file.path }
    if (before === undefined) removeFileCapabilities(file.magicPath, { purpose })
    else setXattr(file.magicPath, FILE_CAPABILITY_XATTR, before, { purpose })
  }
}

/** Checks all files, then changes one after the other; what was done is undone when one fails. */
const changeAll = <T>(
  operation: string,
  files: readonly HeldFile[],
  change: (candidate: Candidate) => T,
): readonly T[] => {
  const candidates = files.map((file): Candidate => ({ file, before: checkChange(operation, file) }))
  const results: T[] = []
  for (const [index, candidate] of candidates.entries()) {
    try {
      results.push(change(candidate))
    } catch (error) {
      putBack(candidates.slice(0, index))
      throw error
    }
  }
  return results
}

/** Gives files that are held the same capabilities: all of them, or none. Returns why they will have no effect. */
export const setHeldCapabilities = (
  files: readonly HeldFile[],
  capabilities: FileCapabilities,
): readonly FileCapabilityDoubt[] => {
  // Before the change: what fails then has changed nothing.
  const doubts = files.flatMap(doubtsOf)
  changeAll(WRITE, files, ({ file }) =>
    writeFileCapabilities(file.magicPath, capabilities, { purpose: { operation: WRITE, target: file.path } }),
  )
  return doubts
}

/** Takes the capabilities of files that are held: of all, or, if that fails for one, of none. */
export const clearHeldCapabilities = (files: readonly HeldFile[]): readonly boolean[] =>
  changeAll(REMOVE, files, ({ file }) =>
    removeFileCapabilities(file.magicPath, { purpose: { operation: REMOVE, target: file.path } }),
  )
