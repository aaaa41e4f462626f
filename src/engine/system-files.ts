import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { syscall } from '../linux/syscall.ts'
import type { Place } from '../rootfs/build/place.ts'
import { staleWorkshops } from '../rootfs/build/place.ts'
import { runHelper } from './bootstrap/helper.ts'

/** Removes what an ordinary user can't remove: as whom it was made, root of the user's ids. For root it does nothing. */
export const removeAsRoot = async (...paths: readonly string[]): Promise<void> => {
  if (process.geteuid?.() === 0) return
  await runHelper(['rm', '-rf', '--one-file-system', '--', ...paths], { root: false }, { walls: false })
}

/**
 * Removes these parts of what earlier ones have left that were killed: an ordinary user's systems have files of ids that
 * the user isn't. For root it does nothing: what makes the next workshop there removes them.
 */
export const removeStale = async (place: Place, ...parts: readonly string[]): Promise<void> => {
  if (process.geteuid?.() === 0) return
  for (const { path, release } of staleWorkshops(place)) {
    try {
      await removeAsRoot(...parts.map((part) => join(path, part)))
    } finally {
      release()
    }
  }
}

/** Waits until all of it is on the disk: what is put in its place stays whole if the machine loses its power. */
export const flush = (held: string, path: string): void => {
  const fd = openSync(held, 'r')
  try {
    syscall({ operation: 'write to the disk', target: path }, 'syncfs', fd)
  } finally {
    closeSync(fd)
  }
}
