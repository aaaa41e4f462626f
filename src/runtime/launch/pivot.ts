import { AT_EMPTY_PATH, AT_RECURSIVE } from '../../linux/fcntl.ts'
import { encodeMountAttr, MOUNT_ATTR_SIZE } from '../../linux/mount-attr.ts'
import {
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  MS_NOEXEC,
  MS_NOSUID,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
} from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { CWD } from '../plan/context.ts'
import type { LaunchContext } from './context.ts'

const TREE = named(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE')
const ATTACH = named(MOVE_MOUNT_F_EMPTY_PATH, 'MOVE_MOUNT_F_EMPTY_PATH')
/** Links are those of the new root by then. */
const ATTACH_THROUGH = named(
  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS,
  'MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_SYMLINKS',
)
const MNT_DETACH = named(2, 'MNT_DETACH')
const S_IFREG = named(0o100666, 'S_IFREG|0666')
/** What programs expect besides devices: links into /proc, and a place for shared memory. */
const LINKS = [
  ['/proc/self/fd', '/dev/fd'],
  ['/proc/self/fd/0', '/dev/stdin'],
  ['/proc/self/fd/1', '/dev/stdout'],
  ['/proc/self/fd/2', '/dev/stderr'],
] as const

const SOURCE_HINTS = {
  ENOENT: 'It must exist.',
  EACCES: 'This user may not get at it.',
  EPERM: 'It takes CAP_SYS_ADMIN: be root, or make a new user namespace with it.',
  EINVAL: 'A mount there may not be bound (unbindable), or is of another mount namespace.',
}

const TARGET_HINTS = {
  ENOENT: 'It must exist in the root: make it there first.',
  EINVAL: 'A directory goes on a directory, and a file on a file.',
}

const takeTree = ({ stage, string }: Tools, path: string, what = `take ${path}`): Register =>
  stage.callFor(path, { what, hints: SOURCE_HINTS }, 'open_tree', [CWD, string(path), TREE])

const attach = ({ stage, string }: Tools, tree: Register, path: string): void => {
  stage.call({ what: `mount it at ${path}`, hints: TARGET_HINTS }, 'move_mount', [
    tree,
    string(''),
    CWD,
    string(path),
    ATTACH_THROUGH,
  ])
  stage.release(tree)
}

interface Tools {
  readonly stage: LaunchContext['stage']
  readonly string: (value: string) => ReturnType<LaunchContext['string']>
}

const closeToWriting = ({ stage, string }: Tools, context: LaunchContext, tree: Register, path: string): void =>
  stage.call({ what: `make ${path} read-only` }, 'mount_setattr', [
    tree,
    string(''),
    named(AT_EMPTY_PATH | AT_RECURSIVE, 'AT_EMPTY_PATH|AT_RECURSIVE'),
    context.data.add(encodeMountAttr({ set: MOUNT_ATTR_RDONLY }), '{MOUNT_ATTR_RDONLY}'),
    MOUNT_ATTR_SIZE,
  ])

const makeDevices = (tools: Tools, devices: readonly (readonly [path: string, tree: Register])[]): void => {
  const { stage, string } = tools
  const type = string('tmpfs')
  const flags = named(MS_NOSUID | MS_NOEXEC, 'MS_NOSUID|MS_NOEXEC')
  stage.call({ what: 'mount a new /dev', hints: TARGET_HINTS }, 'mount', [
    type,
    string('/dev'),
    type,
    flags,
    string('mode=755,size=1m'),
  ])
  for (const [path, tree] of devices) {
    stage.call({ what: `make ${path} to mount on` }, 'mknodat', [CWD, string(path), S_IFREG, 0])
    attach(tools, tree, path)
  }
  for (const [target, path] of LINKS)
    stage.call({ what: `link ${path}` }, 'symlinkat', [string(target), CWD, string(path)])
  stage.call({ what: 'make /dev/shm' }, 'mkdirat', [CWD, string('/dev/shm'), 0o777])
  stage.call({ what: 'open /dev/shm to all' }, 'fchmodat', [CWD, string('/dev/shm'), named(0o1777, '01777')])
}

/**
 * Makes a directory the root, and takes the old one away. Whatever is to be mounted in it is taken before, when it can
 * still be seen, and mounted after, when no link in the root leads out of it.
 */
export const planPivot = (context: LaunchContext): void => {
  const { stage, spec } = context
  if (spec.pivot === undefined) return
  const { root, binds, devices } = spec.pivot
  const tools: Tools = { stage, string: (value) => context.string(value) }
  stage.mechanism('chroot')
  const nodes = devices?.map((path) => [path, takeTree(tools, path)] as const)
  const trees = binds.map((bind) => {
    const tree = takeTree(tools, bind.source)
    if (bind.readOnly) closeToWriting(tools, context, tree, bind.source)
    return [bind.target, tree] as const
  })
  const tree = takeTree(tools, root, `take ${root} as the root`)
  stage.call(
    { what: 'put it on top of "/"', why: 'so that it is a mount, which pivot_root(2) asks for' },
    'move_mount',
    [tree, context.string(''), CWD, context.string('/'), ATTACH],
  )
  const here = context.string('.')
  stage.call({ what: 'enter it' }, 'fchdir', [tree])
  stage.call({ what: 'make it the root', why: 'unlike with chroot(2), root in it finds no way out' }, 'pivot_root', [
    here,
    here,
  ])
  stage.call({ what: 'take the old root away', why: 'nothing of it is left but what was taken' }, 'umount2', [
    here,
    MNT_DETACH,
  ])
  stage.call({ what: 'enter /' }, 'chdir', [context.string('/')])
  stage.release(tree)
  if (nodes !== undefined) makeDevices(tools, nodes)
  for (const [path, each] of trees) attach(tools, each, path)
}
