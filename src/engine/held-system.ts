import { closeSync } from 'node:fs'
import { SystemTree } from '../rootfs/system-tree.ts'
import { checkSystem } from './system.ts'
import { holdSystem } from './system-lock.ts'

/** A system that is open, and held for as long as it is read. */
export interface HeldSystem {
  readonly tree: SystemTree
  readonly release: () => void
}

/** Opens a system, which nobody may be using. Throws {@link InputError}. Release it. */
export const openHeldSystem = (directory: string): HeldSystem => {
  const tree = new SystemTree(directory)
  try {
    checkSystem(tree)
    const held = holdSystem(directory, 'copy')
    return {
      tree,
      release: () => {
        closeSync(held)
        tree.close()
      },
    }
  } catch (error) {
    tree.close()
    throw error
  }
}

/** Opens a system, which nobody may be using, for as long as `use` takes. Rejects with {@link InputError}. */
export const withHeldSystem = async <T>(directory: string, use: (tree: SystemTree) => Promise<T>): Promise<T> => {
  const { tree, release } = openHeldSystem(directory)
  try {
    return await use(tree)
  } finally {
    release()
  }
}
