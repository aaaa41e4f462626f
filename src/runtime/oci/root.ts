import { AT_RECURSIVE } from '../../linux/fcntl.ts'
import { encodeMountAttr } from '../../linux/mount-attr.ts'
import type { Propagation } from '../../linux/mount-flags.ts'
import { MOVE_MOUNT_F_EMPTY_PATH, OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { CWD } from '../plan/context.ts'
import { setAttributes } from '../plan/mounts.ts'
import type { OciContext } from './context.ts'

const CLONE_TREE = named(
  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE,
  'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE',
)
const CLONE_MOUNT = named(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC')
const MNT_DETACH = named(2, 'MNT_DETACH')

/** Changes how all mounts of the stage's namespace reach others, and others it. */
const propagate = (context: OciContext, type: Propagation, recursive: boolean, why: string): void => {
  context.stage.call({ what: `make all mounts ${type}`, why }, 'mount_setattr', [
    CWD,
    context.string('/'),
    named(recursive ? AT_RECURSIVE : 0, recursive ? 'AT_RECURSIVE' : '0'),
    context.data.add(encodeMountAttr({ propagation: type }), `{${type}}`),
    32,
  ])
}

/** What `rshared` and the like mean. */
const propagationOf = (word: string): { readonly type: Propagation; readonly recursive: boolean } => {
  const types: readonly Propagation[] = ['private', 'shared', 'slave', 'unbindable']
  const type = types.find((each) => word === each || word === `r${each}`) ?? 'private'
  return { type, recursive: word !== type }
}

const FOLLOW = 'what is mounted on the host may still come, and nothing of ours goes there'

/** Whether what is taken from the host only follows it; else, where the root is to be shared, the two are peers. */
const followsHost = ({ oci }: OciContext): boolean =>
  propagationOf(oci.linux?.rootfsPropagation ?? 'rslave').type !== 'shared'

/**
 * A tree of the host as a detached mount in the stage. In another user namespace the stage may not be able to search the
 * way to it: then Tare opens it, if it is root, and hands it over. Such a tree is of the host's own mount namespace, so
 * {@link planFollowHost} doesn't reach it: what it says is done for the tree itself.
 */
export const sourceTree = (context: OciContext, source: string, recursive: boolean): Register => {
  const words = {
    what: `open ${source}`,
    why: 'as a mount of its own, attached nowhere yet',
    hints: { ENOENT: 'It does not exist on the host.', EACCES: 'You may not search a directory that leads to it.' },
  }
  const flags = recursive ? CLONE_TREE : CLONE_MOUNT
  if (!(context.inUserNamespace && context.host.privileged))
    return context.stage.callFor('tree', words, 'open_tree', [CWD, context.string(source), flags])
  const path = context.ownData.string(source)
  const own = context.prepare.mechanism('chroot').callFor(`tree ${source} fd`, words, 'open_tree', [CWD, path, flags])
  const tree = context.hand(own, source)
  if (followsHost(context))
    setAttributes(context, tree, { set: 0, propagation: 'slave', recursive }, `make ${source} slave`, FOLLOW)
  return tree
}

/**
 * Before the sources of mounts are taken the mounts follow the host's, so that a source can go on doing so; or they are
 * its peers, where the root is to be shared. Afterwards nothing that is mounted here reaches the host any more.
 */
export const planFollowHost = (context: OciContext): void => {
  context.stage.mechanism('chroot')
  if (context.namespaces.joined.has('mnt')) return
  if (followsHost(context)) propagate(context, 'slave', true, FOLLOW)
}

/** From here on nothing comes from the host and nothing goes there but through trees that were taken. */
const planLeaveHost = (context: OciContext): void =>
  propagate(context, 'private', true, 'so that no mount of ours reaches the host')

/** Attaches the root file system at its own path, where hooks expect it, and enters it. */
export const planBundleRoot = (context: OciContext): Register => {
  const { stage, request } = context
  const root = sourceTree(context, request.rootfs, true)
  stage.mechanism('chroot')
  planLeaveHost(context)
  const restriction = { set: 0, propagation: 'private', recursive: true } as const
  setAttributes(context, root, restriction, 'make it private', 'what is mounted in it stays in it')
  stage.call({ what: 'attach the new root', why: 'at its own path, where hooks look for it' }, 'move_mount', [
    root,
    context.string(''),
    CWD,
    context.string(request.rootfs),
    named(MOVE_MOUNT_F_EMPTY_PATH, 'MOVE_MOUNT_F_EMPTY_PATH'),
  ])
  stage.call({ what: 'enter the new root' }, 'fchdir', [root])
  return root
}

/** Makes the new root the root, and takes the old one away. */
export const planBundlePivot = (context: OciContext, root: Register): void => {
  const { stage, request, oci } = context
  stage.mechanism('chroot')
  const here = context.string('.')
  stage.call({ what: 'enter the new root', why: 'whatever the working directory is by now' }, 'fchdir', [root])
  if (request.noPivot) {
    stage.call(
      { what: 'move the new root over the old one', why: 'as was asked for, instead of pivot_root' },
      'mount',
      [here, context.string('/'), 0, named(0x2000, 'MS_MOVE'), 0],
    )
    stage.call({ what: 'make it the root' }, 'chroot', [here])
  } else {
    const words = { what: 'make the new root the root', hints: { EINVAL: 'A ramfs can not be left: use --no-pivot.' } }
    stage.call(words, 'pivot_root', [here, here])
    stage.call({ what: 'take the old root away', why: 'nothing of the host is left but what was mounted' }, 'umount2', [
      here,
      MNT_DETACH,
    ])
  }
  stage.call({ what: 'enter /' }, 'chdir', [context.string('/')])
  const word = oci.linux?.rootfsPropagation
  if (word === undefined) return
  const { type, recursive } = propagationOf(word)
  if (type !== 'private') propagate(context, type, recursive, 'as linux.rootfsPropagation has it')
}
