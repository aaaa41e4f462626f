import { AT_EMPTY_PATH } from '../../linux/fcntl.ts'
import { OPEN_TREE_CLOEXEC, OPEN_TREE_CLONE } from '../../linux/mount-flags.ts'
import { TIOCGPTPEER, TIOCSPTLCK, TIOCSWINSZ, encodeWindowSize } from '../../linux/pty.ts'
import type { Named, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from './context.ts'
import { CONTROL } from './context.ts'
import { makeEntry } from './entries.ts'
import { attachBelow } from './mounts.ts'

const OPEN = named(0o2000402, 'O_RDWR|O_NOCTTY|O_CLOEXEC')
const MSG_NOSIGNAL = named(0x4000, 'MSG_NOSIGNAL')
const CMSG_HEADER = 16
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const S_IFREG = 0o100000

/** Sends a descriptor over a socket, by default to Tare (SCM_RIGHTS, unix(7)). */
export const sendDescriptor = (
  { stage, data }: Pick<PlanContext, 'stage' | 'data'>,
  descriptor: Register,
  what: string,
  why: string,
  socket: Named = CONTROL,
): void => {
  const message = data.space(56 + 16 + 8 + 24, 'a message with 1 descriptor')
  const [vector, byte, control] = [message.offset + 56, message.offset + 72, message.offset + 80]
  data.pointer(message.offset + 16, vector)
  data.setWord(message.offset + 24, 1)
  data.pointer(message.offset + 32, control)
  data.setWord(message.offset + 40, CMSG_HEADER + 4)
  data.pointer(vector, byte)
  data.setWord(vector + 8, 1)
  data.setWord(control, CMSG_HEADER + 4)
  data.setWord(control + 8, SOL_SOCKET + SCM_RIGHTS * 2 ** 32)
  stage.store({ what: 'put the descriptor into the message' }, control + CMSG_HEADER, descriptor, 4)
  stage.call({ what, why }, 'sendmsg', [socket, message, MSG_NOSIGNAL])
}

/**
 * Makes a terminal on the container's devpts, by its ptmx, and makes it standard input, output and error. Its other
 * side goes to Tare. The program's side is opened through the other (TIOCGPTPEER, ioctl_tty(2)): no path is involved,
 * so nothing can be put in its place (CVE-2025-52565). Returns the program's side.
 *
 * @param socket where the other side is sent to.
 */
export const planTerminal = (
  context: PlanContext,
  directory: Register | Named,
  ptmx: string,
  socket: Named = CONTROL,
): Register => {
  const { stage, data, spec } = context
  stage.mechanism('process')
  const hints = { ENOSPC: 'All terminals of the host are in use (kernel.pty.max).' }
  const master = stage.callFor('terminal', { what: 'make a terminal', hints }, 'openat', [
    directory,
    context.string(ptmx),
    OPEN,
    0,
  ])
  stage.call({ what: 'unlock the terminal' }, 'ioctl', [master, named(TIOCSPTLCK, 'TIOCSPTLCK'), data.space(8, '{0}')])
  const side = stage.callFor("the program's side", { what: "open the program's side of it" }, 'ioctl', [
    master,
    named(TIOCGPTPEER, 'TIOCGPTPEER'),
    OPEN,
  ])
  const { size } = spec.process
  if (size !== undefined)
    stage.call({ what: `set its size to ${size.columns} by ${size.rows}` }, 'ioctl', [
      side,
      named(TIOCSWINSZ, 'TIOCSWINSZ'),
      data.add(encodeWindowSize(size), `{${size.rows}, ${size.columns}}`),
    ])
  const { uid } = spec.process
  if (uid !== 0) stage.call({ what: `give it to user ${uid}` }, 'fchown', [side, uid, -1])
  sendDescriptor(context, master, "hand over the terminal's other side", 'to whoever watches the program', socket)
  for (const descriptor of [0, 1, 2])
    stage.call({ what: `make it descriptor ${descriptor}` }, 'dup3', [side, descriptor, 0])
  stage.release(master)
  return side
}

/** /dev/console is the terminal too, as systemd's container interface has it. */
export const planConsole = (context: PlanContext, dev: Register, side: Register): void => {
  const { stage, spec } = context
  stage.mechanism('chroot')
  stage.call({ what: 'make /dev/console to mount on' }, 'mknodat', [
    dev,
    context.string('console'),
    named(S_IFREG | 0o600, 'S_IFREG|0600'),
    0,
  ])
  const tree = stage.callFor('console', { what: 'take the terminal as a mount' }, 'open_tree', [
    side,
    context.string(''),
    named(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH, 'OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_EMPTY_PATH'),
  ])
  attachBelow(context, tree, dev, 'console', 'mount it at /dev/console')
  for (const path of spec.process.console?.links ?? [])
    makeEntry(context, dev, { kind: 'link', path, target: 'console' })
  stage.release(tree)
  stage.release(side)
}
