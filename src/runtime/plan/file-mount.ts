import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from './context.ts'
import { makeEntry } from './entries.ts'
import { setAttributes } from './mounts.ts'

const CLONE_PATH = named(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC')

/**
 * A file with this content as a detached mount. It begins in /dev, which is ours, and keeps no name there: only what is
 * attached somewhere can be cloned.
 */
export const makeFileMount = (
  context: PlanContext,
  dev: Register,
  target: string,
  content: string,
  attributes: number,
): Register => {
  const { stage } = context
  const own = '.replaced'
  makeEntry(context, dev, { kind: 'file', path: own, content })
  const words = { what: `take it as a mount for ${target}` }
  const file = stage.callFor('file', words, 'open_tree', [dev, context.string(own), CLONE_PATH])
  setAttributes(context, file, { set: attributes, recursive: false }, 'restrict it')
  stage.call({ what: 'take its name away' }, 'unlinkat', [dev, context.string(own), 0])
  return file
}
