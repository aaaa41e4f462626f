import { statSync } from 'node:fs'
import { InputError } from '../linux/error.ts'
import type { SubidRange } from '../linux/idmap.ts'
import { readSubids } from '../linux/idmap.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import type { ContainerOptions } from './options.ts'

const MAKE = '"tare bootstrap debian:bookworm DIR" makes one.'

/** Throws {@link InputError} for a directory that holds no system of its own; nothing in it has been touched. */
export const checkSystem = (tree: SystemTree): void => {
  const operation = `use ${tree.path} as a system`
  const [root, own] = [statSync('/', { bigint: true }), tree.find('/')]
  if (own?.inode === root.ino && statSync(tree.path, { bigint: true }).dev === root.dev)
    throw new InputError({
      operation,
      reason: "it is this host's own root",
      hint: '"tare run --rootfs=host" looks at that, and changes nothing.',
    })
  const programs = ['/bin', '/usr/bin'].some((path) => tree.find(path)?.type === 'directory')
  if (!programs) throw new InputError({ operation, reason: 'it has neither /bin nor /usr/bin', hint: MAKE })
  if (tree.find('/etc')?.type !== 'directory') throw new InputError({ operation, reason: 'it has no /etc', hint: MAKE })
}

type Ids = Pick<ContainerOptions, 'userns' | 'uidMappings' | 'gidMappings'>

/** The part of the caller's subordinate range that begins with this id. */
const rangeFrom = (id: number, ranges: readonly SubidRange[]): SubidRange | undefined => {
  const range = ranges.find(({ first, size }) => id >= first && id < first + size)
  return range === undefined ? undefined : { first: id, size: range.first + range.size - id }
}

/**
 * Whose ids those of a system are: whoever owns its top directory is its root. As root that is root, whose files are
 * mapped; as an ordinary user the caller itself, or the first of its subordinate ids. Throws {@link InputError} for a
 * tree of others.
 */
export const systemIds = (tree: SystemTree): Ids => {
  const uid = trySyscall('geteuid')
  const refuse = (hint: string): InputError =>
    new InputError({ operation: `use ${tree.path} as a system`, reason: `it belongs to user ${tree.uid}`, hint })
  if (uid === 0) {
    if (tree.uid === 0) return {}
    throw refuse("Root uses what is root's. Be the user who made it.")
  }
  const owner = { uid, name: process.env['USER'] }
  const [uids, gids] = [readSubids('uid', owner), readSubids('gid', owner)]
  // Without a range there is one id, which does for a system that has no other users.
  if (tree.uid === uid) return uids.length > 0 && gids.length > 0 ? { userns: 'auto' } : {}
  const [uidRange, gidRange] = [rangeFrom(tree.uid, uids), rangeFrom(tree.gid, gids)]
  if (uidRange === undefined || gidRange === undefined)
    throw refuse('It takes the user to whom it belongs, or whose subordinate id that is (/etc/subuid).')
  return {
    uidMappings: [{ inside: 0, outside: uidRange.first, size: uidRange.size }],
    gidMappings: [{ inside: 0, outside: gidRange.first, size: gidRange.size }],
  }
}
