import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { Mount } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { makeEntry } from './entries.ts'
import { setAttributes } from './mounts.ts'

const CLONE_PATH = named(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC')

/**
 * Has `attach` mount a file with this content. It begins in /dev, which is ours, and keeps no name there: that is taken
 * away last, as what has no name is neither cloned nor mounted.
 */
export const planFileMount = (
  context: PlanContext,
  dev: Register,
  { target, content, attributes }: Pick<Extract<Mount, { readonly kind: 'file' }>, 'target' | 'content' | 'attributes'>,
  attach: (file: Register) => void,
): void => {
  const { stage } = context
  const own = '.replaced'
  makeEntry(context, dev, { kind: 'file', path: own, content })
  const words = { what: `take it as a mount for ${target}` }
  const file = stage.callFor('file', words, 'open_tree', [dev, context.string(own), CLONE_PATH])
  setAttributes(context, file, { set: attributes, recursive: false }, 'make it read-only')
  attach(file)
  stage.call({ what: 'take its name away' }, 'unlinkat', [dev, context.string(own), 0])
  stage.release(file)
}
