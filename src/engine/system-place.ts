import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { TareError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import type { Place } from '../rootfs/build/place.ts'
import { checkPlace, takenPlace, Workshop } from '../rootfs/build/place.ts'
import { flush, removeAsRoot, removeStale } from './system-files.ts'

const TREE = 'tree'

/** A system that is in its place. */
export interface PlacedSystem<T> {
  /** Absolute. */
  readonly path: string
  /** What filling it has come to. */
  readonly made: T
}

const fillPlace = async <T>(
  place: Place,
  fill: (tree: string) => Promise<T>,
  mode: number,
): Promise<PlacedSystem<T>> => {
  await removeStale(place, TREE)
  const workshop = new Workshop(place)
  const tree = join(workshop.path, TREE)
  try {
    // Root of an ordinary user's ids may be another one: it has to get as far as the tree.
    chmodSync(workshop.held, 0o711)
    mkdirSync(join(workshop.held, TREE))
    chmodSync(join(workshop.held, TREE), mode)
    const made = await fill(tree)
    flush(workshop.held, place.path)
    workshop.putPart(TREE)
    // What it takes the place of is there now.
    if (place.state === 'ours') await removeAsRoot(tree)
    return { path: place.path, made }
  } catch (error) {
    if (existsSync(tree) && readdirSync(tree).length > 0) await removeAsRoot(tree)
    throw error
  } finally {
    workshop.abandon()
  }
}

/**
 * Makes a new system: `fill` fills a directory beside the place, which is put there when it is complete. So there is all
 * of it or nothing; what an earlier one left that was killed is removed. Throws {@link InputError} where something is there.
 */
export const placeSystem = async <T>(
  output: string,
  fill: (tree: string) => Promise<T>,
  mode = 0o755,
): Promise<PlacedSystem<T>> => fillPlace(checkPlace(output, false), fill, mode)

/** The same in place of a system that is there: at every moment there is the old one or the new one, as a whole. */
export const replaceSystem = async <T>(
  directory: string,
  fill: (tree: string) => Promise<T>,
): Promise<PlacedSystem<T>> => fillPlace(takenPlace(directory), fill, 0o755)

/** Removes a system. It goes out of sight at once, so that nobody finds a part of it. */
export const removeSystem = async (path: string): Promise<void> => {
  const workshop = new Workshop(takenPlace(path))
  try {
    renameSync(path, join(workshop.held, TREE))
    await removeAsRoot(join(workshop.path, TREE))
  } catch (error) {
    throw error instanceof TareError ? error : fromNodeError(error, 'remove', path)
  } finally {
    workshop.abandon()
  }
}
