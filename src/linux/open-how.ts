import { InputError } from './error.ts'

/** Limits to how openat2(2) walks a path (linux/openat2.h). */
export const RESOLVE_NO_XDEV = 0x01
export const RESOLVE_NO_MAGICLINKS = 0x02
export const RESOLVE_NO_SYMLINKS = 0x04
/** Fails with EXDEV where the path would leave the directory that it starts from. */
export const RESOLVE_BENEATH = 0x08
/** Takes the directory that the path starts from for the root, so that `/` and `..` stay within. */
export const RESOLVE_IN_ROOT = 0x10
export const RESOLVE_CACHED = 0x20

/** What openat2(2) is to do. */
export interface OpenHow {
  /** O_ flags, of which an unknown one is refused. */
  readonly flags: number
  /** Permission bits, only with O_CREAT or O_TMPFILE. */
  readonly mode?: number | undefined
  /** RESOLVE_ flags. */
  readonly resolve?: number | undefined
}

/** Size of `struct open_how`, version 0. */
export const OPEN_HOW_SIZE = 24

/** `struct open_how` (openat2(2)): 24 bytes. Throws {@link InputError} for a mode outside 07777. */
export const encodeOpenHow = (how: OpenHow): Uint8Array => {
  const { flags, mode = 0, resolve = 0 } = how
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o7777) {
    throw new InputError({ operation: 'encode how to open', reason: `0${mode.toString(8)} is no mode` })
  }
  const bytes = new Uint8Array(OPEN_HOW_SIZE)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(flags), true)
  view.setBigUint64(8, BigInt(mode), true)
  view.setBigUint64(16, BigInt(resolve), true)
  return bytes
}
