import { ERRNO } from '../../linux/errno.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { Layers } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { CWD } from './context.ts'
import { attachBelow, hostTree, makeFilesystem } from './mounts.ts'
import { attachOverRoot, makeEntry, makeTmpfs } from './entries.ts'

/** The layers that changes go to, in the directory that a caller keeps them in. */
const CHANGES = ['upper', 'work'] as const

const keptLayers = (context: PlanContext, directory: string): void => {
  for (const part of CHANGES) {
    const end = context.prepare.label()
    context.prepare
      .mechanism('chroot')
      .call(
        { what: `make ${directory}/${part}`, why: 'where the changes are kept' },
        'mkdirat',
        [CWD, context.ownData.string(`${directory}/${part}`), named(0o755, '0755')],
        [{ errno: ERRNO['EEXIST'] ?? 17, to: end }],
      )
    context.prepare.place(end)
  }
}

/**
 * An overlay of directories of the host, mounted nowhere yet. The kernel takes the layers by path: they are first
 * attached in a tmpfs of the stage's own, and the paths are relative to it, so that they can't mean anything else.
 *
 * To be called before the root is attached; the tmpfs goes with the old root.
 */
export const makeOverlay = (context: PlanContext, layers: Layers, attributes: number): Register => {
  context.stage.mechanism('chroot')
  const staging = stagingOf(context, layers.size)
  const name = `overlay${context.overlays++}`
  const directory = (path: string): void => makeEntry(context, staging, { kind: 'directory', path, mode: 0o755 })
  directory(name)
  // An ordinary user may not separate a mount from those that its namespace inherited below it: take them along.
  const recursive = !context.host.privileged
  const lower = layers.lower.map((source, index) => {
    const path = `${name}/lower${index}`
    const tree = hostTree(context, source, true, recursive)
    directory(path)
    attachBelow(context, tree, staging, path, `attach ${source} as the lower layer`)
    return path
  })
  directory(`${name}/changes`)
  if (layers.kept === undefined) {
    for (const part of CHANGES) directory(`${name}/changes/${part}`)
  } else {
    keptLayers(context, layers.kept)
    const tree = hostTree(context, layers.kept, true, recursive)
    attachBelow(context, tree, staging, `${name}/changes`, `attach ${layers.kept} as the layer of changes`)
  }
  const options: [string, string | undefined][] = [
    ['lowerdir', lower.join(':')],
    ['upperdir', `${name}/changes/upper`],
    ['workdir', `${name}/changes/work`],
  ]
  // In a user namespace the overlay keeps its notes in user.* attributes: trusted.* is the host's root's.
  if (context.mapped) options.push(['userxattr', undefined])
  const why =
    layers.kept === undefined ? 'changes go to memory, and with the container' : `changes go to ${layers.kept}`
  return makeFilesystem(context, 'overlay', `make an overlay of ${layers.lower.join(', ')}`, why, attributes, options)
}

const stagingOf = (context: PlanContext, size: number): Register => {
  if (context.staging === undefined) {
    context.staging = makeTmpfs(context, 'make a place for layers', 'in memory', size, '755')
    attachOverRoot(context, context.staging, 'the place for layers', 'it stays below the new root, out of reach')
  }
  return context.staging
}
