import { ERRNO } from '../../linux/errno.ts'
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from '../../linux/fcntl.ts'
import { OPEN_HOW_SIZE, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, encodeOpenHow } from '../../linux/open-how.ts'
import type { Branch, Register } from '../../plan/step.ts'
import { attachTo } from '../plan/mounts.ts'
import type { MakeTarget } from '../plan/targets.ts'
import { makeInRoot } from '../plan/targets.ts'
import type { OciContext } from './context.ts'

const { ENOENT = 2 } = ERRNO

/** Opens a path of the container as the container sees it, into a register that is there. */
export const openInto = (
  context: OciContext,
  opened: Register,
  root: Register,
  path: string,
  directory: boolean,
  branches: readonly Branch[],
): void => {
  const how = encodeOpenHow({
    flags: O_PATH | O_CLOEXEC | (directory ? O_DIRECTORY : 0),
    mode: 0,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  })
  const hints = {
    ENOENT: 'The root is read-only and has no such path: make it first.',
    ENOTDIR: 'A directory can only be mounted on a directory, a file on a file.',
  }
  context.stage.callInto(
    opened,
    { what: `open ${path}`, hints },
    'openat2',
    [
      root,
      context.string(path === '/' ? '.' : path),
      context.data.add(
        how,
        `{O_PATH|O_CLOEXEC${directory ? '|O_DIRECTORY' : ''}, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}`,
      ),
      OPEN_HOW_SIZE,
    ],
    branches,
  )
}

/** Opens a path of the container, which is made where it is missing. */
export const openTarget = (context: OciContext, root: Register, path: string, make: MakeTarget): Register => {
  const { stage } = context
  const opened = stage.register('target')
  const [missing, there] = [stage.label(), stage.label()]
  openInto(context, opened, root, path, make === 'directory', [{ errno: ENOENT, to: missing }])
  stage.jump({ what: `go on with ${path}` }, there)
  stage.place(missing)
  makeInRoot(
    context,
    root,
    path.split('/').filter((part) => part !== ''),
    make,
  )
  openInto(context, opened, root, path, make === 'directory', [])
  stage.place(there)
  return opened
}

/** Attaches a detached mount at a path of the container, which is made where it is missing. */
export const attachAt = (
  context: OciContext,
  root: Register,
  mount: Register,
  path: string,
  make: MakeTarget,
  what: string,
): void => {
  const target = openTarget(context, root, path, make)
  attachTo(context, mount, target, what)
  context.stage.release(target)
}
