import { AT_EMPTY_PATH, AT_RECURSIVE } from '../../linux/fcntl.ts'
import { ERRNO } from '../../linux/errno.ts'
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { CWD } from '../plan/context.ts'
import { attachBelow, attachTo, makeFilesystem, setAttributes } from '../plan/mounts.ts'
import type { OciContext } from './context.ts'
import { openInto } from './targets.ts'

const { ENOENT = 2, ENOTDIR = 20 } = ERRNO
const CLONE = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
const CLONE_PATH = named(CLONE, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC')
const CLONE_HERE = named(CLONE | AT_EMPTY_PATH, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH')
const CLONE_TREE = named(
  CLONE | AT_EMPTY_PATH | AT_RECURSIVE,
  'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH|AT_RECURSIVE',
)

/** What is at a path that is to be masked: of the kernel's own files it is known, of all others not until then. */
const kindOf = ({ host }: OciContext, path: string): 'file' | 'directory' | 'unknown' | undefined =>
  path.startsWith('/proc/') || path.startsWith('/sys/') ? host.kernelFile(path) : 'unknown'

/** Write-protects paths: each is mounted over itself, read-only. Those that aren't there are left out. */
const planReadOnly = (context: OciContext, root: Register): void => {
  const { stage, spec } = context
  for (const path of spec.readonlyPaths) {
    if (kindOf(context, path) === undefined) continue
    const absent = stage.label()
    const target = stage.register('target')
    openInto(context, target, root, path, false, [
      { errno: ENOENT, to: absent },
      { errno: ENOTDIR, to: absent },
    ])
    const tree = stage.callFor('tree', { what: `take ${path}` }, 'open_tree', [target, context.string(''), CLONE_TREE])
    setAttributes(context, tree, { set: MOUNT_ATTR_RDONLY, recursive: true }, `make ${path} read-only`)
    attachTo(context, tree, target, `mount it over ${path}`)
    stage.place(absent)
    stage.release(tree)
    stage.release(target)
  }
}

/**
 * An empty directory that serves all masks: each is a clone of its mount. It is attached in the old root, since only
 * what is attached can be cloned, and goes with that.
 */
const makeEmpty = (context: OciContext): Register => {
  const attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY
  const empty = makeFilesystem(context, 'tmpfs', 'make an empty directory', 'to hide others behind', attributes)
  attachBelow(context, empty, CWD, '/sys', "attach it over the host's /sys", 'it goes with the old root')
  return empty
}

/**
 * Hides paths: a directory behind an empty one, anything else behind the null device of the host, which no image can
 * have exchanged for something else (CVE-2025-31133).
 */
const planHidden = (context: OciContext, root: Register): void => {
  const { stage, spec } = context
  const hidden = spec.maskedPaths
    .map((path) => ({ path, kind: kindOf(context, path) }))
    .filter(({ kind }) => kind !== undefined)
  if (hidden.length === 0) return
  const empty = hidden.some(({ kind }) => kind !== 'file') ? makeEmpty(context) : undefined
  for (const { path, kind } of hidden) {
    const [absent, file, end] = [stage.label(), stage.label(), stage.label()]
    const target = stage.register('target')
    const mask = stage.register('mask')
    const attach = (): void => attachTo(context, mask, target, `hide ${path}`)
    if (kind !== 'file' && empty !== undefined) {
      openInto(context, target, root, path, true, [
        { errno: ENOENT, to: absent },
        { errno: ENOTDIR, to: file },
      ])
      const words = { what: `take an empty directory for ${path}` }
      stage.callInto(mask, words, 'open_tree', [empty, context.string(''), CLONE_HERE])
      attach()
      stage.jump({ what: 'go on' }, end)
    }
    stage.place(file)
    openInto(context, target, root, path, false, [
      { errno: ENOENT, to: absent },
      { errno: ENOTDIR, to: absent },
    ])
    const words = { what: `take the null device for ${path}` }
    stage.callInto(mask, words, 'open_tree', [CWD, context.string('/dev/null'), CLONE_PATH])
    attach()
    stage.place(absent)
    stage.place(end)
    stage.release(target)
    stage.release(mask)
  }
  if (empty !== undefined) stage.release(empty)
}

/** `linux.readonlyPaths`, `linux.maskedPaths` and `root.readonly`. */
export const planProtection = (context: OciContext, root: Register): void => {
  context.stage.mechanism('chroot')
  planReadOnly(context, root)
  planHidden(context, root)
  if (context.spec.readOnlyRoot)
    setAttributes(context, root, { set: MOUNT_ATTR_RDONLY, recursive: false }, 'make the root read-only')
}
