import { MountAttributes, mountAttributeNames } from './attributes.ts'
import { AT_EMPTY_PATH, AT_RECURSIVE, O_CLOEXEC, O_DIRECTORY, O_PATH } from '../../linux/fcntl.ts'
import { MOUNT_ATTR_SIZE, encodeMountAttr } from '../../linux/mount-attr.ts'
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/mount-flags.ts'
import { OPEN_HOW_SIZE, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, encodeOpenHow } from '../../linux/open-how.ts'
import type { StepBuilder } from '../../plan/builder.ts'
import type { Data, Hints, Named, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { Propagation } from '../../linux/mount-flags.ts'
import type { PlanContext } from './context.ts'
import { CWD } from './context.ts'

const CLONE_TREE = named(
  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE,
  'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE',
)
const CLONE_MOUNT = named(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC')
const EMPTY_PATH = named(AT_EMPTY_PATH, 'AT_EMPTY_PATH')
const EMPTY_PATH_RECURSIVE = named(AT_EMPTY_PATH | AT_RECURSIVE, 'AT_EMPTY_PATH|AT_RECURSIVE')
/** Offset of userns_fd in struct mount_attr. */
const USERNS_FD = 24
const UNSUPPORTED: Hints = {
  ENODEV: 'This kernel has no such file system.',
  EPERM:
    'The kernel lets a user namespace mount this only where all of it is visible already: not inside a container that masks parts of it.',
}

/** A new file system, mounted nowhere yet: fsopen(2), fsconfig(2), fsmount(2). */
export const makeFilesystem = (
  context: PlanContext,
  type: string,
  what: string,
  why: string,
  attributes: number,
  options: readonly (readonly [key: string, value: string | undefined])[] = [],
): Register => {
  const { stage } = context
  const words = { what, why, hints: UNSUPPORTED }
  const fs = stage.callFor('fs', words, 'fsopen', [context.string(type), named(FSOPEN_CLOEXEC, 'FSOPEN_CLOEXEC')])
  for (const [key, value] of options) {
    const setting = value === undefined ? key : `${key}=${value}`
    const optionWords = { what: `set ${setting} for ${type}` }
    if (value === undefined)
      stage.call(optionWords, 'fsconfig', [
        fs,
        named(FSCONFIG_SET_FLAG, 'FSCONFIG_SET_FLAG'),
        context.string(key),
        0,
        0,
      ])
    else
      stage.call(optionWords, 'fsconfig', [
        fs,
        named(FSCONFIG_SET_STRING, 'FSCONFIG_SET_STRING'),
        context.string(key),
        context.string(value),
        0,
      ])
  }
  stage.call(words, 'fsconfig', [fs, named(FSCONFIG_CMD_CREATE, 'FSCONFIG_CMD_CREATE'), 0, 0, 0])
  const mount = stage.callFor(type, words, 'fsmount', [
    fs,
    named(FSMOUNT_CLOEXEC, 'FSMOUNT_CLOEXEC'),
    new MountAttributes(attributes),
  ])
  stage.release(fs)
  return mount
}

/** Attaches a detached mount at a path below `directory` that nobody but us has written to. */
export const attachBelow = (
  context: PlanContext,
  mount: Register,
  directory: Register | Named,
  path: string,
  what: string,
  why = '',
): void => {
  context.stage.call({ what, why }, 'move_mount', [
    mount,
    context.string(''),
    directory,
    context.string(path),
    named(MOVE_MOUNT_F_EMPTY_PATH, 'MOVE_MOUNT_F_EMPTY_PATH'),
  ])
}

/** Opens a path of the container as it will see it: no link leads out of its root (openat2(2), RESOLVE_IN_ROOT). */
export const openInRoot = (
  context: PlanContext,
  root: Register,
  path: string,
  what: string,
  directory: boolean,
  hints?: Hints,
): Register => {
  const how = encodeOpenHow({
    flags: O_PATH | O_CLOEXEC | (directory ? O_DIRECTORY : 0),
    mode: 0,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  })
  return context.stage.callFor('target', hints === undefined ? { what } : { what, hints }, 'openat2', [
    root,
    context.string(path === '/' ? '.' : path),
    context.data.add(how, '{O_PATH|O_CLOEXEC, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}'),
    OPEN_HOW_SIZE,
  ])
}

/** Attaches a detached mount onto an opened target. */
export const attachTo = (context: PlanContext, mount: Register, target: Register, what: string, why = ''): void => {
  context.stage.call({ what, why }, 'move_mount', [
    mount,
    context.string(''),
    target,
    context.string(''),
    named(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH, 'MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH'),
  ])
}

export interface Attributes {
  readonly set: number
  readonly clear?: number
  readonly propagation?: Propagation | undefined
  readonly recursive: boolean
}

const describe = ({ set, propagation }: Attributes): string =>
  [set === 0 ? '' : mountAttributeNames(set), propagation ?? ''].filter((part) => part !== '').join(', ')

/** Sets attributes of a mount by descriptor (mount_setattr(2)). */
export const setAttributes = (
  context: PlanContext,
  mount: Register,
  attributes: Attributes,
  what: string,
  why = '',
): void => {
  const bytes = encodeMountAttr({
    set: attributes.set,
    clear: attributes.clear ?? 0,
    propagation: attributes.propagation,
  })
  context.stage.call({ what, why }, 'mount_setattr', [
    mount,
    context.string(''),
    attributes.recursive ? EMPTY_PATH_RECURSIVE : EMPTY_PATH,
    context.data.add(bytes, `{${describe(attributes)}}`),
    MOUNT_ATTR_SIZE,
  ])
}

const SOURCE_HINTS: Hints = {
  ENOENT: 'It does not exist on the host.',
  EACCES: 'You may not search a directory that leads to it.',
  EINVAL: 'Mounts below it can not be left out by an ordinary user: bind it with those below it.',
}

const NO_IDMAP = "Its file system can't map owners, or one mounted in it: use the caller's own ids (--userns host)."

const openTree = (steps: StepBuilder, path: Data, source: string, recursive: boolean): Register =>
  steps.callFor(
    `tree ${source} fd`,
    { what: `open ${source}`, why: 'as a mount of its own, attached nowhere yet', hints: SOURCE_HINTS },
    'open_tree',
    [CWD, path, recursive ? CLONE_TREE : CLONE_MOUNT],
  )

/**
 * A tree of the host as a detached mount in the stage. `idmap`: whether the container, if it has ids of its own, sees
 * the owners of the files mapped to them. Only a process with power over the file system can set that up: then Tare
 * opens the tree and hands it over. Else they show as nobody's, and root in the container has no power over them.
 *
 * A tree that Tare opens is of the host's own mount namespace: where mounts are shared there, as systemd has them, what
 * is mounted in the one would appear in the other. One that the stage opens is private, like all that it has.
 */
export const hostTree = (
  context: PlanContext,
  source: string,
  idmap: boolean,
  recursive = true,
  propagation: Propagation = 'private',
): Register => {
  const { prepare, grant, ownData } = context
  if (!context.handsTrees || !idmap) return openTree(context.stage, context.string(source), source, recursive)
  const own = openTree(prepare.mechanism('chroot'), ownData.string(source), source, recursive)
  const attr = ownData.add(
    encodeMountAttr({ usernsFd: 0, propagation }),
    `{MOUNT_ATTR_IDMAP, ${propagation}, userns_fd}`,
  )
  grant.mechanism('chroot')
  const userNamespace = context.userNamespace()
  grant.store({ what: 'name the user namespace whose ids they become' }, attr.offset + USERNS_FD, userNamespace, 8)
  grant.call(
    {
      what: `map the owners of ${source}`,
      why: "so that the host's root, unchanged on disk, is the container's",
      hints: { EINVAL: NO_IDMAP, EPERM: NO_IDMAP },
    },
    'mount_setattr',
    [own, ownData.string(''), recursive ? EMPTY_PATH_RECURSIVE : EMPTY_PATH, attr, MOUNT_ATTR_SIZE],
  )
  return context.hand(own, source)
}
