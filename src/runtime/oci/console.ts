import { AT_EMPTY_PATH } from '../../linux/fcntl.ts'
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { openInRoot } from '../plan/mounts.ts'
import { planTerminal } from '../plan/terminal.ts'
import type { OciContext } from './context.ts'
import { attachAt } from './targets.ts'

const CLONE_HERE = named(
  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH,
  'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH',
)

/**
 * The terminal of the container, from the devpts that it mounts; its other side goes to whoever listens on the console
 * socket, which Tare has connected to. `socket`: Tare's register of that connection.
 */
export const planConsole = (context: OciContext, root: Register, socket: Register): void => {
  const { stage } = context
  stage.mechanism('process')
  const pts = openInRoot(context, root, '/dev/pts', 'open /dev/pts', true, {
    ENOENT: 'A terminal takes a devpts: mount one at /dev/pts.',
  })
  const side = planTerminal(context, pts, 'ptmx', context.inherit(socket))
  stage.mechanism('chroot')
  const tree = stage.callFor('console', { what: 'take the terminal as a mount' }, 'open_tree', [
    side,
    context.string(''),
    CLONE_HERE,
  ])
  attachAt(context, root, tree, '/dev/console', 'file', 'mount it at /dev/console')
  for (const register of [pts, tree, side]) stage.release(register)
}
