import { AT_EMPTY_PATH } from '../../linux/fcntl.ts'
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
import type { PlanContext } from './context.ts'
import { CWD } from './context.ts'
import { planFileMount } from './file-mount.ts'
import { attachBelow, hostTree, makeFilesystem, setAttributes } from './mounts.ts'
import type { PlannedRoot } from './root.ts'
import { attachInRoot } from './targets.ts'

const HARMLESS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
const CLONE = named(
  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH,
  'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH',
)
const CLONE_PATH = named(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC')

/** The mounts through which a container sees the kernel; masks are laid on them later. */
export interface KernelFiles {
  readonly proc: Register
  readonly sys: Register
}

/** /proc and /sys: of the container's own process ids and network. */
export const planKernelFiles = (context: PlanContext, root: PlannedRoot): KernelFiles => {
  const proc = makeFilesystem(
    context,
    'proc',
    'make a proc',
    "it shows the processes of the container's own pid namespace",
    HARMLESS,
  )
  attachInRoot(context, root, proc, '/proc', 'directory', 'mount it at /proc')
  const sys =
    context.spec.network === 'host' && context.mapped
      ? hostSys(context)
      : makeFilesystem(
          context,
          'sysfs',
          'make a sysfs',
          "it shows the interfaces of the container's own network namespace",
          HARMLESS | MOUNT_ATTR_RDONLY,
        )
  attachInRoot(context, root, sys, '/sys', 'directory', 'mount it at /sys, read-only')
  return { proc, sys }
}

/** A sysfs belongs to a network namespace; whoever has no power over that of the host gets the host's own, read-only. */
const hostSys = (context: PlanContext): Register => {
  const sys = hostTree(context, '/sys', false)
  setAttributes(
    context,
    sys,
    { set: HARMLESS | MOUNT_ATTR_RDONLY, recursive: true },
    "make the host's /sys read-only",
    'its network is shared',
  )
  return sys
}

const PREFIXES = ['/proc/', '/sys/'] as const

const relativeTo = (files: KernelFiles, path: string): readonly [Register, string] | undefined => {
  for (const prefix of PREFIXES)
    if (path.startsWith(prefix)) return [prefix === '/proc/' ? files.proc : files.sys, path.slice(prefix.length)]
  return undefined
}

/**
 * An empty read-only directory to hide others behind. Only what is attached can be cloned: it is attached in the old
 * root, where nothing is looked up any more, and goes with it.
 */
const makeEmpty = (context: PlanContext): Register => {
  const attributes = HARMLESS | MOUNT_ATTR_RDONLY
  const empty = makeFilesystem(context, 'tmpfs', 'make an empty directory', 'to hide others behind', attributes)
  attachBelow(context, empty, CWD, '/dev', "attach it over the host's /dev", 'it goes with the old root')
  return empty
}

/** Lays files of our own over some of the kernel's. */
const planReplacedFiles = (context: PlanContext, files: KernelFiles, dev: Register): void => {
  const { spec, host } = context
  for (const [path, content] of spec.replacedFiles ?? []) {
    const place = relativeTo(files, path)
    if (place === undefined || host.kernelFile(path) !== 'file') continue
    const [directory, name] = place
    planFileMount(context, dev, { target: path, content, attributes: HARMLESS | MOUNT_ATTR_RDONLY }, (file) =>
      attachBelow(context, file, directory, name, `mount it over ${path}`, 'what the kernel says there is of the host'),
    )
  }
}

/**
 * Hides and write-protects paths of /proc and /sys. Both are file systems of the kernel, mounted by us a moment ago:
 * no link in them can lead astray, so paths relative to them are safe (compare CVE-2025-31133, CVE-2025-52881).
 *
 * One empty directory and one null device serve all: each mask is a clone of their mount, not a file system of its own.
 */
export const planMasks = (context: PlanContext, files: KernelFiles, dev: Register): void => {
  const { stage, spec, host } = context
  stage.mechanism('chroot')
  for (const path of spec.readonlyPaths) {
    const place = relativeTo(files, path)
    // Not every kernel has each of them.
    if (place === undefined || host.kernelFile(path) === undefined) continue
    const [directory, name] = place
    const words = { what: `take ${path}` }
    const tree = stage.callFor('tree', words, 'open_tree', [directory, context.string(name), CLONE_PATH])
    const restriction = { set: HARMLESS | MOUNT_ATTR_RDONLY, recursive: false }
    setAttributes(context, tree, restriction, `make ${path} read-only`, 'what is written to it changes the whole host')
    attachBelow(context, tree, directory, name, `mount it over ${path}`)
    stage.release(tree)
  }
  for (const path of spec.writablePaths ?? []) {
    const place = relativeTo(files, path)
    if (place === undefined || host.kernelFile(path) === undefined) continue
    const [directory, name] = place
    const tree = stage.callFor('tree', { what: `take ${path}` }, 'open_tree', [
      directory,
      context.string(name),
      CLONE_PATH,
    ])
    const attributes = { set: HARMLESS, clear: MOUNT_ATTR_RDONLY, recursive: false }
    setAttributes(context, tree, attributes, `make ${path} writable`, 'it is of namespaces of its own')
    attachBelow(context, tree, directory, name, `mount it over ${path}`)
    stage.release(tree)
  }
  planReplacedFiles(context, files, dev)
  const hidden = spec.maskedPaths.filter((path) => host.kernelFile(path) !== undefined)
  const empty = hidden.some((path) => host.kernelFile(path) === 'directory') ? makeEmpty(context) : dev
  for (const path of hidden) {
    const place = relativeTo(files, path)
    const kind = host.kernelFile(path)
    if (place === undefined) continue
    const [directory, name] = place
    const mask =
      kind === 'directory'
        ? stage.callFor('mask', { what: `take an empty directory for ${path}` }, 'open_tree', [
            empty,
            context.string(''),
            CLONE,
          ])
        : stage.callFor('mask', { what: `take the null device for ${path}` }, 'open_tree', [
            dev,
            context.string('null'),
            CLONE_PATH,
          ])
    attachBelow(context, mask, directory, name, `hide ${path}`, 'it tells of the host, or reaches into it')
    stage.release(mask)
  }
}
