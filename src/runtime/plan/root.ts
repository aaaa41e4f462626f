import type { Register } from '../../plan/step.ts'
import type { Root } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { attachOverRoot, makeEntry, makeTmpfs } from './entries.ts'
import { hostTree } from './mounts.ts'
import { makeOverlay } from './overlay.ts'

/** The root of a container in the making: its descriptor, and which directories in it are ours alone. */
export interface PlannedRoot {
  readonly register: Register
  /** Directories, relative to the root, that we made and no one else can have changed; '' is the root itself. */
  readonly own: Set<string>
  /** All that we made in them, links and files too. */
  readonly made: Set<string>
}

/** Makes the root file system, attaches it and enters it. */
export const planRoot = (context: PlanContext, root: Root): PlannedRoot => {
  context.stage.mechanism('chroot')
  const attach = (register: Register): void =>
    attachOverRoot(context, register, 'the new root', 'on top of the old one, which pivot_root takes away')
  switch (root.kind) {
    case 'made': {
      const why = 'empty, in memory: it holds only what the container is given'
      const register = makeTmpfs(context, 'make the new root', why, root.size, '755')
      attach(register)
      for (const entry of root.entries) makeEntry(context, register, entry)
      const directories = root.entries.filter(({ kind }) => kind === 'directory').map(({ path }) => path)
      return { register, own: new Set(['', ...directories]), made: new Set(root.entries.map(({ path }) => path)) }
    }
    case 'directory': {
      const register = hostTree(context, root.path, true)
      attach(register)
      return { register, own: new Set(), made: new Set() }
    }
    case 'overlay': {
      const register = makeOverlay(context, root.layers, 0)
      attach(register)
      return { register, own: new Set(), made: new Set() }
    }
  }
}
