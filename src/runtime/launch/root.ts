import type { LaunchContext } from './context.ts'
import type { DirectorySpec } from './spec.ts'

const ENTER_HINTS = { ENOENT: 'It must exist there, and be a directory.', EACCES: 'The user may not enter it.' }

const enterDirectory = (context: LaunchContext, directory: DirectorySpec, what: string): void => {
  const { stage } = context
  if (directory.kind === 'path') {
    stage.call({ what: `${what} ${directory.path}`, hints: ENTER_HINTS }, 'chdir', [context.string(directory.path)])
    return
  }
  const fd = context.inherit(directory.fd, directory.of)
  stage.call({ what: `${what} ${directory.of}`, hints: ENTER_HINTS }, 'fchdir', [fd])
}

const CHROOT_HINTS = {
  EPERM: 'It takes CAP_SYS_CHROOT: be root, or make a new user namespace with it.',
  ENOENT: 'The directory must exist.',
  EACCES: 'The user may not enter it.',
}

/** Another root by chroot(2), and the working directory. Without another directory it is the new root. */
export const planDirectories = (context: LaunchContext): void => {
  const { stage, spec } = context
  const { root, workdir } = spec
  stage.mechanism('chroot')
  if (root?.kind === 'path')
    stage.call({ what: `make ${root.path} the root`, hints: CHROOT_HINTS }, 'chroot', [context.string(root.path)])
  if (root?.kind === 'descriptor') {
    enterDirectory(context, root, 'enter')
    stage.call({ what: `make ${root.of} the root`, hints: CHROOT_HINTS }, 'chroot', [context.string('.')])
  }
  if (workdir !== undefined) enterDirectory(context, workdir, 'enter')
  else if (root?.kind === 'path')
    stage.call({ what: 'enter /', why: 'what was the working directory may lie outside' }, 'chdir', [
      context.string('/'),
    ])
}
