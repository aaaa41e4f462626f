import { chmodSync, existsSync, mkdirSync, readdirSync, realpathSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import { suggest } from '../linux/suggest.ts'
import { trySyscall } from '../linux/syscall.ts'
import { Losses } from '../rootfs/build/attributes.ts'
import { SystemTree, withTree } from '../rootfs/system-tree.ts'
import { withHeldSystem } from './held-system.ts'
import type { CopyMethod } from './system-copy.ts'
import { copySystem } from './system-copy.ts'
import { placeSystem, removeSystem, replaceSystem } from './system-place.ts'

/** A system as it was at one time. */
export interface Snapshot {
  readonly name: string
  /** Absolute: the directory with the system as it was. */
  readonly path: string
  readonly created: Date
}

/** A snapshot that has been taken, or gone back to. */
export interface SnapshotOutcome {
  readonly name: string
  readonly path: string
  readonly method: CopyMethod
  /** What was left out: sentences. */
  readonly warnings: readonly string[]
}

export interface SnapshotOptions {
  /** Gives up, and leaves all as it was. */
  readonly signal?: AbortSignal | undefined
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/

/** Where the snapshots of the system in a directory are: beside it, and so out of its reach. */
const snapshotsDirectory = (directory: string): string =>
  `${withTree(directory, ({ path }) => realpathSync(path))}.snapshots`

const checkName = (name: string): string => {
  if (NAME.test(name)) return name
  throw new InputError({
    operation: 'name a snapshot',
    target: JSON.stringify(name),
    reason: 'that is no name',
    hint: 'A name is made of letters, digits, and . _ - within: at most 63.',
  })
}

/** Made so that nobody else may enter: set-user-id programs in it are such of the host. */
const makeSnapshotsDirectory = (path: string): void => {
  try {
    mkdirSync(path)
    // An ordinary user's tree may belong to another id, which has to get there.
    chmodSync(path, trySyscall('geteuid') === 0 ? 0o700 : 0o711)
  } catch (error) {
    const wrong = fromNodeError(error, 'keep snapshots in', path)
    if (wrong.code !== 'EEXIST') throw wrong
  }
}

/** Removes the directory if nothing is in it: another snapshot may be taken or removed meanwhile. */
const removeIfEmpty = (base: string): void => {
  try {
    rmdirSync(base)
  } catch (error) {
    const wrong = fromNodeError(error, 'remove', base)
    if (wrong.code !== 'ENOTEMPTY' && wrong.code !== 'ENOENT') throw wrong
  }
}

/** `20261124T165530Z`, in the time of Greenwich. */
const nameOfNow = (): string => new Date().toISOString().replace(/[-:]|\.\d+/g, '')

/** The snapshots of the system in a directory, the oldest first. Throws {@link InputError} where there is no directory. */
export const listSnapshots = (directory: string): readonly Snapshot[] => {
  const base = snapshotsDirectory(directory)
  if (!existsSync(base)) return []
  return readdirSync(base)
    .filter((name) => NAME.test(name))
    .map((name) => {
      const path = join(base, name)
      // The rename that put it there set this time, and nothing does so after it.
      return { name, path, created: statSync(path).ctime }
    })
    .toSorted((a, b) => a.created.getTime() - b.created.getTime() || (a.name < b.name ? -1 : 1))
}

/** Throws {@link InputError} where there is none of that name. */
const findSnapshot = (directory: string, name: string): Snapshot => {
  const all = listSnapshots(directory)
  const found = all.find((each) => each.name === checkName(name))
  if (found !== undefined) return found
  const names = all.map((each) => each.name)
  const meant = suggest(name, names)
  throw new InputError({
    operation: `find the snapshot ${name} of ${directory}`,
    reason: 'there is none of that name',
    hint:
      meant !== undefined
        ? `Did you mean ${meant}?`
        : names.length === 0
          ? 'There is none at all.'
          : `There is ${names.join(', ')}.`,
  })
}

/**
 * Keeps the system in a directory as it is now, under a name, by default the time; it must not be running. Where the file system
 * can, it takes no room until something is changed. Throws {@link InputError} where there is one of that name, or others use the
 * system.
 */
export const takeSnapshot = async (
  directory: string,
  name: string = nameOfNow(),
  { signal }: SnapshotOptions = {},
): Promise<SnapshotOutcome> => {
  checkName(name)
  const base = snapshotsDirectory(directory)
  const left = new Losses()
  return withHeldSystem(directory, async (tree) => {
    const existing = existsSync(base)
    if (existsSync(join(base, name)))
      throw new InputError({
        operation: `take the snapshot ${name} of ${directory}`,
        reason: 'there is one of that name',
        hint: `Choose another, or remove that one: tare snapshot rm ${directory} ${name}.`,
      })
    makeSnapshotsDirectory(base)
    try {
      const { path, made: method } = await placeSystem(join(base, name), (target) =>
        copySystem(tree, target, { signal, onLeftOut: (what, each) => left.note(what, each) }),
      )
      return { name, path, method, warnings: left.sentences }
    } catch (error) {
      if (!existing) removeIfEmpty(base)
      throw error
    }
  })
}

/**
 * Makes the system in a directory what it was at a snapshot, which stays; what has been changed since is gone. At every moment the
 * old or the new one is there as a whole. Throws {@link InputError} where there is no such snapshot, or others use the system.
 */
export const restoreSnapshot = async (
  directory: string,
  name: string,
  { signal }: SnapshotOptions = {},
): Promise<SnapshotOutcome> => {
  const snapshot = findSnapshot(directory, name)
  const left = new Losses()
  return withHeldSystem(directory, async () => {
    const from = new SystemTree(snapshot.path)
    try {
      const { path, made: method } = await replaceSystem(directory, (target) =>
        copySystem(from, target, { signal, onLeftOut: (what, each) => left.note(what, each) }),
      )
      return { name, path, method, warnings: left.sentences }
    } finally {
      from.close()
    }
  })
}

/** Removes a snapshot. Throws {@link InputError} where there is none of that name. */
export const removeSnapshot = async (directory: string, name: string): Promise<void> => {
  const { path } = findSnapshot(directory, name)
  await removeSystem(path)
  removeIfEmpty(snapshotsDirectory(directory))
}
