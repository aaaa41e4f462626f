import { InputError } from './error.ts'
import { syscall } from './syscall.ts'

/** Settings of a terminal, as the kernel holds them (termios(3), asm-generic/termbits.h). */
export interface Termios {
  readonly iflag: number
  readonly oflag: number
  readonly cflag: number
  readonly lflag: number
  readonly line: number
  /** The 19 control characters; {@link VMIN} and {@link VTIME} are among them. */
  readonly cc: readonly number[]
}

export const TERMIOS_SIZE = 36
const CONTROL_CHARACTERS = 19

/** Indices into {@link Termios.cc}: bytes and tenths of a second that a read waits for in raw mode. */
export const VTIME = 5
export const VMIN = 6

const TCGETS = 0x5401
const TCSETS = { now: 0x5402, drain: 0x5403, flush: 0x5404 } as const

/** `struct termios` of the kernel: 36 bytes. Throws {@link InputError} unless there are 19 control characters. */
export const encodeTermios = (termios: Termios): Uint8Array => {
  if (termios.cc.length !== CONTROL_CHARACTERS) {
    throw new InputError({ operation: 'encode terminal settings', reason: 'they have 19 control characters' })
  }
  const bytes = new Uint8Array(TERMIOS_SIZE)
  const view = new DataView(bytes.buffer)
  const { iflag, oflag, cflag, lflag } = termios
  for (const [index, flags] of [iflag, oflag, cflag, lflag].entries()) view.setUint32(4 * index, flags, true)
  bytes[16] = termios.line
  bytes.set(termios.cc, 17)
  return bytes
}

/** The reverse of {@link encodeTermios}. */
export const decodeTermios = (bytes: Uint8Array): Termios => {
  if (bytes.length !== TERMIOS_SIZE) {
    throw new InputError({ operation: 'decode terminal settings', reason: `${bytes.length} bytes are not 36` })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = (index: number): number => view.getUint32(4 * index, true)
  const cc = [...bytes.subarray(17, 17 + CONTROL_CHARACTERS)]
  return { iflag: flags(0), oflag: flags(1), cflag: flags(2), lflag: flags(3), line: bytes[16] ?? 0, cc }
}

/** IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON */
const COOKED_INPUT = 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000
const OPOST = 0o1
/** ISIG ICANON ECHO ECHONL IEXTEN */
const COOKED_LOCAL = 0o1 | 0o2 | 0o10 | 0o100 | 0o100000
const CSIZE_PARENB = 0o60 | 0o400
const CS8 = 0o60

/** The same settings with every byte passed on as it is, at once, unechoed and without signals: cfmakeraw(3). */
export const makeRaw = (termios: Termios): Termios => ({
  ...termios,
  iflag: (termios.iflag & ~COOKED_INPUT) >>> 0,
  oflag: (termios.oflag & ~OPOST) >>> 0,
  lflag: (termios.lflag & ~COOKED_LOCAL) >>> 0,
  cflag: ((termios.cflag & ~CSIZE_PARENB) | CS8) >>> 0,
  cc: termios.cc.map((value, index) => (index === VMIN ? 1 : index === VTIME ? 0 : value)),
})

/** The settings of a terminal; throws with `ENOTTY` for a descriptor of something else. ioctl_tty(2) */
export const getTermios = (fd: number): Termios => {
  const bytes = new Uint8Array(TERMIOS_SIZE)
  syscall({ operation: 'read the terminal settings of', target: `descriptor ${fd}` }, 'ioctl', fd, TCGETS, bytes)
  return decodeTermios(bytes)
}

/**
 * Changes the settings of a terminal: now, once all output has gone out (drain; may block this thread), or then
 * and with unread input thrown away (flush). ioctl_tty(2)
 */
export const setTermios = (fd: number, termios: Termios, when: 'now' | 'drain' | 'flush' = 'now'): void => {
  const purpose = { operation: 'change the terminal settings of', target: `descriptor ${fd}` }
  syscall(purpose, 'ioctl', fd, TCSETS[when], encodeTermios(termios))
}

/** Puts a terminal into raw mode and returns the settings that it had, for {@link setTermios} to restore. */
export const enterRawMode = (fd: number): Termios => {
  const before = getTermios(fd)
  setTermios(fd, makeRaw(before))
  return before
}
