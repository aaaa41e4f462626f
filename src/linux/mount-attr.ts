import { InputError } from './error.ts'
import type { Propagation } from './mount-flags.ts'
import { MOUNT_ATTR__ATIME, MOUNT_ATTR_IDMAP, PROPAGATION_FLAGS } from './mount-flags.ts'

/** What mount_setattr(2) is to change. */
export interface MountAttr {
  /** MOUNT_ATTR_ bits to set. */
  readonly set?: number | undefined
  /** MOUNT_ATTR_ bits to clear; any access-time bit among `set` needs all of MOUNT_ATTR__ATIME here. */
  readonly clear?: number | undefined
  readonly propagation?: Propagation | undefined
  /** Descriptor of the user namespace by whose map ids are shifted; sets MOUNT_ATTR_IDMAP. */
  readonly usernsFd?: number | undefined
}

/** Size of `struct mount_attr`, version 0: the one that all kernels since 5.12 take. */
export const MOUNT_ATTR_SIZE = 32

const refuse = (reason: string): InputError => new InputError({ operation: 'encode mount attributes', reason })

/**
 * `struct mount_attr` (mount_setattr(2)): 32 bytes. Throws {@link InputError} for what the kernel would refuse
 * with a bare EINVAL: an access-time setting without its mask, an id map without its namespace.
 */
export const encodeMountAttr = (attr: MountAttr): Uint8Array => {
  const { set = 0, clear = 0, propagation, usernsFd } = attr
  const clearsAtime = clear & MOUNT_ATTR__ATIME
  if (clearsAtime !== 0 && clearsAtime !== MOUNT_ATTR__ATIME)
    throw refuse('only a part of MOUNT_ATTR__ATIME is cleared')
  if ((set & MOUNT_ATTR__ATIME) !== 0 && clearsAtime === 0) {
    throw refuse('an access-time setting is set without clearing MOUNT_ATTR__ATIME')
  }
  if ((set & MOUNT_ATTR_IDMAP) !== 0 && usernsFd === undefined) throw refuse('MOUNT_ATTR_IDMAP needs a user namespace')
  const bytes = new Uint8Array(MOUNT_ATTR_SIZE)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(usernsFd === undefined ? set : set | MOUNT_ATTR_IDMAP), true)
  view.setBigUint64(8, BigInt(clear), true)
  view.setBigUint64(16, BigInt(propagation === undefined ? 0 : PROPAGATION_FLAGS[propagation]), true)
  view.setBigUint64(24, BigInt(usernsFd ?? 0), true)
  return bytes
}
