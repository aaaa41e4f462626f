import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { syscall } from '../linux/syscall.ts'
import type { Place } from '../rootfs/build/place.ts'
import { checkPlace, staleWorkshops, Workshop } from '../rootfs/build/place.ts'
import { runHelper } from './bootstrap/helper.ts'

const TREE = 'tree'

/** Removes what an ordinary user can't remove: as root of its ids. */
const removeAsRoot = async (...paths: readonly string[]): Promise<void> => {
  if (process.geteuid?.() === 0) return
  await runHelper(['rm', '-rf', '--one-file-system', '--', ...paths], { root: false }, { walls: false })
}

const removeStale = async (place: Place): Promise<void> => {
  if (process.geteuid?.() === 0) return
  for (const { path, release } of staleWorkshops(place)) {
    try {
      await removeAsRoot(join(path, TREE))
    } finally {
      release()
    }
  }
}

/** Waits until all of it is on the disk: what is put in its place stays whole if the machine loses its power. */
const flush = (held: string, path: string): void => {
  const fd = openSync(held, 'r')
  try {
    syscall({ operation: 'write to the disk', target: path }, 'syncfs', fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes a new system: `fill` fills a directory beside the place, which is put there when it is complete. So there is all
 * of it or nothing; what an earlier one left that was killed is removed. Returns the absolute path. Throws
 * {@link InputError} where something is there.
 */
export const placeSystem = async (
  output: string,
  fill: (tree: string) => Promise<void>,
  mode = 0o755,
): Promise<string> => {
  const place = checkPlace(output, false)
  await removeStale(place)
  const workshop = new Workshop(place)
  const tree = join(workshop.path, TREE)
  try {
    // Root of an ordinary user's ids may be another one: it has to get as far as the tree.
    chmodSync(workshop.held, 0o711)
    mkdirSync(join(workshop.held, TREE))
    chmodSync(join(workshop.held, TREE), mode)
    await fill(tree)
    flush(workshop.held, place.path)
    workshop.finishPart(TREE)
    return place.path
  } catch (error) {
    if (existsSync(tree) && readdirSync(tree).length > 0) await removeAsRoot(tree)
    throw error
  } finally {
    workshop.abandon()
  }
}
