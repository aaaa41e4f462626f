import { closeSync, openSync } from 'node:fs'

import { ERRNO } from './errno.ts'
import { InputError, TareError } from './error.ts'
import { O_CLOEXEC, O_NOCTTY, O_RDWR } from './fcntl.ts'
import { fromNodeError } from './proc.ts'
import { syscall, trySyscall } from './syscall.ts'

/** Requests of ioctl_tty(2) for terminals and pseudoterminals. */
export const TIOCSCTTY = 0x540e
export const TIOCGWINSZ = 0x5413
export const TIOCSWINSZ = 0x5414
export const TIOCGPTN = 0x80045430
export const TIOCSPTLCK = 0x40045431
export const TIOCGPTPEER = 0x5441

/** Size of a terminal window in characters, and in pixels where that is known (else 0). */
export interface WindowSize {
  readonly rows: number
  readonly columns: number
  readonly width?: number | undefined
  readonly height?: number | undefined
}

/** `struct winsize` (ioctl_tty(2)): 8 bytes. Throws {@link InputError} for what isn't 16 bits. */
export const encodeWindowSize = (size: WindowSize): Uint8Array => {
  const values = [size.rows, size.columns, size.width ?? 0, size.height ?? 0]
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  for (const [index, value] of values.entries()) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff) {
      throw new InputError({ operation: 'size a terminal', reason: `${value} is not a number from 0 to 65535` })
    }
    view.setUint16(2 * index, value, true)
  }
  return bytes
}

/** The reverse of {@link encodeWindowSize}. */
export const decodeWindowSize = (bytes: Uint8Array): Required<WindowSize> => {
  if (bytes.length !== 8)
    throw new InputError({ operation: 'decode a window size', reason: `${bytes.length} bytes are not 8` })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = (index: number): number => view.getUint16(2 * index, true)
  return { rows: at(0), columns: at(1), width: at(2), height: at(3) }
}

const named = (fd: number): string => `descriptor ${fd}`

/** The window size of a terminal; throws with `ENOTTY` for a descriptor of something else. */
export const getWindowSize = (fd: number): Required<WindowSize> => {
  const bytes = new Uint8Array(8)
  syscall({ operation: 'read the window size of', target: named(fd) }, 'ioctl', fd, TIOCGWINSZ, bytes)
  return decodeWindowSize(bytes)
}

/** Sets the window size; the foreground processes of the terminal get SIGWINCH if it changed. */
export const setWindowSize = (fd: number, size: WindowSize): void => {
  syscall({ operation: 'set the window size of', target: named(fd) }, 'ioctl', fd, TIOCSWINSZ, encodeWindowSize(size))
}

/** Whether a descriptor is a terminal. isatty(3) */
export const isTerminal = (fd: number): boolean => trySyscall('ioctl', fd, TIOCGWINSZ, new Uint8Array(8)) === 0

/** The side of a pseudoterminal that a terminal emulator holds. */
export interface PtyMaster {
  /** Close it; processes on the other side then get SIGHUP. */
  readonly fd: number
  /** The number of the other side within its devpts: the name of the device there. */
  readonly number: number
}

/**
 * Makes a pseudoterminal, its other side unlocked, from a ptmx device: the host's, or that of a container's own
 * devpts. Throws if there is none or no more terminals are to be had. pts(4)
 */
export const openPty = (ptmx: string = '/dev/ptmx'): PtyMaster => {
  let fd: number
  try {
    fd = openSync(ptmx, O_RDWR | O_NOCTTY | O_CLOEXEC)
  } catch (error) {
    throw fromNodeError(error, 'make a terminal from', ptmx, {
      ENOSPC: 'All terminals of this devpts are in use (its option max, or kernel.pty.max).',
      ENOENT: 'A devpts must be mounted on /dev/pts.',
    })
  }
  const number = new Uint32Array(1)
  for (const [request, argument] of [
    [TIOCSPTLCK, new Int32Array(1)],
    [TIOCGPTN, number],
  ] as const) {
    const result = trySyscall('ioctl', fd, request, argument)
    if (result === 0) continue
    closeSync(fd)
    throw new TareError({ operation: 'make a terminal from', target: ptmx, syscall: 'ioctl', errno: -result })
  }
  return { fd, number: number[0] ?? 0 }
}

/**
 * The other side of a pseudoterminal, for the processes that run in it. It is found through the master, not by a
 * path: no mount over /dev/pts can put another device in its place. Close it. TIOCGPTPEER, ioctl_tty(2)
 */
export const openPtyPeer = (master: number): number =>
  syscall(
    { operation: 'open the other side of the terminal of', target: named(master) },
    'ioctl',
    master,
    TIOCGPTPEER,
    O_RDWR | O_NOCTTY | O_CLOEXEC,
  )

/** Makes a terminal the controlling one of this process, which must lead a session without one. TIOCSCTTY */
export const setControllingTerminal = (fd: number): void => {
  const result = trySyscall('ioctl', fd, TIOCSCTTY, 0)
  if (result === 0) return
  throw new TareError({
    operation: 'take as controlling terminal',
    target: named(fd),
    syscall: 'ioctl',
    errno: -result,
    hint:
      -result === ERRNO['EPERM']
        ? 'The process must lead a session (setsid(2)) that has no terminal, nor may the terminal have one.'
        : undefined,
  })
}
