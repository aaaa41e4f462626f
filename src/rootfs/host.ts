import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOSUID } from '../linux/mount-flags.ts'
import { readMountinfo } from '../linux/mountinfo.ts'
import type { Entry, Mount } from '../runtime/spec.ts'
import { InputError } from '../linux/error.ts'
import type { Rootfs } from './rootfs.ts'

export interface HostRootOptions {
  /** The directory in which changes are kept; else they are in memory, of at most `size` bytes. */
  readonly kept: string | undefined
  readonly size: number
  /** Whether the caller may take the root mount without those that lie below it. */
  readonly privileged: boolean
}

/** Those that a container has of its own. */
const OWN = ['proc', 'sys', 'dev', 'tmp', 'run'] as const

/**
 * The host's own tree, as the lower layer of an overlay: all is there, nothing can be changed.
 *
 * An ordinary user may not separate the root mount from those below it, which an overlay can't take along: then each
 * directory at the top gets an overlay of its own, and those in which something is mounted are left out.
 */
export const hostRoot = ({ kept, size, privileged }: HostRootOptions): Rootfs => {
  if (privileged) return { root: { kind: 'overlay', layers: { lower: ['/'], kept, size } }, mounts: [] }
  if (kept !== undefined)
    throw new InputError({
      operation: 'keep changes to the host root',
      reason: 'an ordinary user gets an overlay for each directory at the top',
      hint: 'Overlay single directories with mounts, or run as root.',
    })
  const mounted = readMountinfo().map(({ mountPoint }) => mountPoint)
  const entries: Entry[] = OWN.map((path) => ({ kind: 'directory', path, mode: path === 'tmp' ? 0o1777 : 0o755 }))
  const mounts: Mount[] = []
  for (const name of readdirSync('/').toSorted()) {
    if (OWN.some((own) => own === name)) continue
    const path = `/${name}`
    const stats = lstatSync(path)
    if (stats.isSymbolicLink()) entries.push({ kind: 'link', path: name, target: readlinkSync(path) })
    if (!stats.isDirectory()) continue
    entries.push({ kind: 'directory', path: name, mode: 0o755 })
    if (mounted.some((mount) => mount === path || mount.startsWith(`${path}/`))) continue
    mounts.push({
      kind: 'overlay',
      target: path,
      layers: { lower: [path], kept: undefined, size },
      attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
    })
  }
  return { root: { kind: 'made', entries, size }, mounts }
}
