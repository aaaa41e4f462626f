import { ERRNO } from '../../linux/errno.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from './context.ts'
import { attachBelow, attachTo, openInRoot } from './mounts.ts'
import type { PlannedRoot } from './root.ts'

const EEXIST = ERRNO['EEXIST'] ?? 17
const EROFS = ERRNO['EROFS'] ?? 30
const EMPTY_FILE = named(0o100000 | 0o644, 'S_IFREG|0644')

export type MakeTarget = 'directory' | 'file'

const parts = (path: string): readonly string[] => path.split('/').filter((part) => part !== '')

/**
 * Makes a path in a root whose content we don't trust: component by component, each opened as the container would see
 * it, so that a link in an image can't lead us out of it.
 */
export const makeInRoot = (context: PlanContext, root: Register, path: readonly string[], make: MakeTarget): void => {
  const { stage } = context
  let parent = root
  path.forEach((name, index) => {
    const full = `/${path.slice(0, index + 1).join('/')}`
    const last = index === path.length - 1
    const file = last && make === 'file'
    const there = stage.label()
    // On a read-only root what isn't there can't be made: opening it says so.
    const branches = [EEXIST, EROFS].map((errno) => ({ errno, to: there }))
    const words = { what: `make ${full} to mount on`, why: 'unless it is there' }
    if (file) stage.call(words, 'mknodat', [parent, context.string(name), EMPTY_FILE, 0], branches)
    else stage.call(words, 'mkdirat', [parent, context.string(name), named(0o755, '0755')], branches)
    stage.place(there)
    if (last) return
    if (parent !== root) stage.release(parent)
    parent = openInRoot(context, root, full, `open ${full}`, true)
  })
  if (parent !== root) stage.release(parent)
}

/** Attaches a detached mount at an absolute path of the container, which is made if it isn't there. */
export const attachInRoot = (
  context: PlanContext,
  root: PlannedRoot,
  mount: Register,
  target: string,
  make: MakeTarget,
  what: string,
  why = '',
): void => {
  const path = parts(target)
  const relative = path.join('/')
  const parent = path.slice(0, -1).join('/')
  if (make === 'directory' && path.length > 0 && root.own.has(relative)) {
    attachBelow(context, mount, root.register, relative, what, why)
    root.own.delete(relative)
    return
  }
  if (path.length > 0 && root.own.has(parent) && !root.made.has(relative)) {
    // A new name in a directory that is ours alone.
    root.made.add(relative)
    const words = { what: `make ${target} to mount on` }
    if (make === 'file') context.stage.call(words, 'mknodat', [root.register, context.string(relative), EMPTY_FILE, 0])
    else context.stage.call(words, 'mkdirat', [root.register, context.string(relative), named(0o755, '0755')])
    attachBelow(context, mount, root.register, relative, what, why)
    return
  }
  makeInRoot(context, root.register, path, make)
  const opened = openInRoot(context, root.register, `/${relative}`, `open ${target}`, make === 'directory', {
    ENOENT: 'The root is read-only and has no such path: make it first.',
    ENOTDIR: 'A directory can only be mounted on a directory, a file on a file.',
  })
  attachTo(context, mount, opened, what, why)
  context.stage.release(opened)
}
