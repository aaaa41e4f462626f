import { closeSync, mkdirSync, openSync, rmdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { isSubvolume, snapshotSubvolume } from '../linux/btrfs.ts'
import { TareError } from '../linux/error.ts'
import { FILESYSTEM_MAGIC, filesystemStatus } from '../linux/statfs.ts'
import { Fields, integer } from '../oci/fields.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import type { TreeWorkOptions } from './tree-work.ts'
import { finishWork, workOnTree } from './tree-worker.ts'

/**
 * How a copy of a system came to be: as a snapshot of its subvolume (btrfs); file by file, all of which share their blocks with
 * the original's (btrfs, xfs), or of which some or all were copied.
 */
export type CopyMethod = 'subvolume' | 'reflink' | 'copy'

const count = integer(0, Number.MAX_SAFE_INTEGER)

/** Puts a snapshot in place of an empty directory. False where that can't be. */
const trySnapshot = (source: string, target: string): boolean => {
  const from = openSync(source, 'r')
  try {
    if (!isSubvolume(from)) return false
    const directory = openSync(dirname(target), 'r')
    try {
      if (filesystemStatus(directory).magic !== FILESYSTEM_MAGIC.btrfs) return false
      rmdirSync(target)
      snapshotSubvolume(from, directory, basename(target))
      return true
    } catch (error) {
      mkdirSync(target, { recursive: true })
      if (error instanceof TareError && ['EXDEV', 'EPERM', 'EACCES'].includes(error.code)) return false
      throw error
    } finally {
      closeSync(directory)
    }
  } finally {
    closeSync(from)
  }
}

/** Copies a system into an empty directory, in the way that takes least. */
export const copySystem = async (tree: SystemTree, target: string, options: TreeWorkOptions): Promise<CopyMethod> => {
  if (trySnapshot(tree.path, target)) return 'subvolume'
  const report = await finishWork(
    workOnTree({ kind: 'copy', directory: tree.path, to: target }, tree, undefined, options),
  )
  const fields = new Fields(JSON.parse(report), 'the report of the copy:')
  const [copied, cloned] = [fields.required('copied', count), fields.required('cloned', count)]
  return cloned > 0 && copied === 0 ? 'reflink' : 'copy'
}

/** Makes a system another one than that which it is a copy of. */
export const renewSystem = async (tree: SystemTree, target: string, options: TreeWorkOptions): Promise<void> => {
  await finishWork(workOnTree({ kind: 'renew', directory: target }, tree, undefined, options))
}
