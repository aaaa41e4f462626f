import { ERRNO } from './errno.ts'
import { TareError } from './error.ts'
import { hintedSyscall } from './hinted-syscall.ts'
import { syscall, trySyscall } from './syscall.ts'

/** Commands of keyctl(2) (linux/keyctl.h). */
const KEYCTL_GET_KEYRING_ID = 0
export const KEYCTL_JOIN_SESSION_KEYRING = 1
const KEYCTL_REVOKE = 3
export const KEYCTL_SETPERM = 5
const KEYCTL_DESCRIBE = 6
const KEYCTL_UNLINK = 9
const KEYCTL_SEARCH = 10
const KEYCTL_READ = 11

/** Keyrings that stand for whatever the caller has of that kind (keyrings(7)). */
export const SPECIAL_KEYRINGS = {
  thread: -1,
  process: -2,
  session: -3,
  user: -4,
  'user-session': -5,
} as const

/** A key or keyring by its serial number, or a keyring of the caller by its kind. */
export type KeyId = number | keyof typeof SPECIAL_KEYRINGS

const idOf = (key: KeyId): number => (typeof key === 'number' ? key : SPECIAL_KEYRINGS[key])
const named = (key: KeyId): string => (typeof key === 'number' ? `key ${key}` : `the ${key} keyring`)

/** What may be done with a key: view, read, write, search, link and set attributes, for four sorts of callers. */
export const KEY_VIEW = 0x01
export const KEY_READ = 0x02
export const KEY_WRITE = 0x04
export const KEY_SEARCH = 0x08
export const KEY_LINK = 0x10
export const KEY_SETATTR = 0x20
export const KEY_ALL = 0x3f

export interface KeyPermissions {
  /** Of who holds the key in one of his keyrings. */
  readonly possessor?: number | undefined
  readonly user?: number | undefined
  readonly group?: number | undefined
  readonly other?: number | undefined
}

/** The permission word of a key: one byte for each sort of caller. */
export const keyPermissions = ({ possessor = 0, user = 0, group = 0, other = 0 }: KeyPermissions): number =>
  ((possessor << 24) | (user << 16) | (group << 8) | other) >>> 0

/**
 * Gives this thread a new session keyring, anonymous or with a name (one of that name which it may search is
 * joined instead). Returns its id. keyctl_join_session_keyring(3)
 */
export const joinSessionKeyring = (name?: string): number => {
  const hints = {
    EDQUOT: 'The user has too many keys (kernel.keys.maxkeys).',
    ENOSYS: 'This kernel has no keyrings, or a seccomp filter bars them.',
  }
  const purpose = { operation: 'join a session keyring', target: name }
  return hintedSyscall(purpose, hints, 'keyctl', KEYCTL_JOIN_SESSION_KEYRING, name ?? null)
}

/** The serial number of a keyring of the caller; undefined where there is none yet. keyctl_get_keyring_ID(3) */
export const keyringId = (keyring: keyof typeof SPECIAL_KEYRINGS): number | undefined => {
  const result = trySyscall('keyctl', KEYCTL_GET_KEYRING_ID, SPECIAL_KEYRINGS[keyring], 0)
  if (result >= 0) return result
  if (-result === ERRNO['ENOKEY']) return undefined
  throw new TareError({ operation: 'find', target: named(keyring), syscall: 'keyctl', errno: -result })
}

/** Sets who may do what with a key. keyctl_setperm(3) */
export const setKeyPermissions = (key: KeyId, permissions: KeyPermissions): void => {
  const purpose = { operation: 'set the permissions of', target: named(key) }
  syscall(purpose, 'keyctl', KEYCTL_SETPERM, idOf(key), keyPermissions(permissions))
}

/** What the kernel says of a key. */
export interface KeyDescription {
  readonly type: string
  readonly uid: number
  readonly gid: number
  /** As {@link keyPermissions} makes it. */
  readonly permissions: number
  readonly description: string
}

/** Reads `user;0;0;3f010000;name`, which keyctl_describe(3) gives; undefined for other text. */
export const parseKeyDescription = (text: string): KeyDescription | undefined => {
  const match = /^([^;]*);([0-9]+);([0-9]+);([0-9a-f]+);(.*)$/s.exec(text)
  if (match === null) return undefined
  const [, type = '', uid, gid, permissions = '', description = ''] = match
  return { type, uid: Number(uid), gid: Number(gid), permissions: Number.parseInt(permissions, 16), description }
}

const fill = (operation: string, key: KeyId, command: number): Buffer => {
  const purpose = { operation, target: named(key) }
  let size = 256
  for (;;) {
    const buffer = Buffer.alloc(size)
    const length = syscall(purpose, 'keyctl', command, idOf(key), buffer, size)
    if (length <= size) return buffer.subarray(0, length)
    size = length
  }
}

/** What sort of key it is, whose, and with which permissions. keyctl_describe(3) */
export const describeKey = (key: KeyId): KeyDescription => {
  const text = fill('describe', key, KEYCTL_DESCRIBE).toString().replace(/\0$/, '')
  const description = parseKeyDescription(text)
  if (description !== undefined) return description
  throw new TareError({
    operation: 'describe',
    target: named(key),
    reason: `${JSON.stringify(text)} is not understood`,
  })
}

/** Puts a `user` key into a keyring, or changes the one of that description there. Returns its id. add_key(2) */
export const addUserKey = (description: string, payload: Uint8Array, keyring: KeyId): number => {
  const purpose = { operation: 'add a key to', target: named(keyring) }
  return syscall(purpose, 'add_key', 'user', description, payload, payload.length, idOf(keyring))
}

/** The payload of a key, or the serial numbers in a keyring, 4 bytes each. keyctl_read(3) */
export const readKey = (key: KeyId): Uint8Array => fill('read', key, KEYCTL_READ)

/** The `user` key of a description below a keyring; undefined where there is none to be found. keyctl_search(3) */
export const searchUserKey = (keyring: KeyId, description: string): number | undefined => {
  const result = trySyscall('keyctl', KEYCTL_SEARCH, idOf(keyring), 'user', description, 0)
  if (result >= 0) return result
  if (-result === ERRNO['ENOKEY']) return undefined
  throw new TareError({ operation: 'search', target: named(keyring), syscall: 'keyctl', errno: -result })
}

/** Takes a key out of a keyring. keyctl_unlink(3) */
export const unlinkKey = (key: KeyId, keyring: KeyId): void => {
  const purpose = { operation: `take ${named(key)} out of`, target: named(keyring) }
  syscall(purpose, 'keyctl', KEYCTL_UNLINK, idOf(key), idOf(keyring))
}

/** Makes a key useless to everyone at once. keyctl_revoke(3) */
export const revokeKey = (key: KeyId): void => {
  syscall({ operation: 'revoke', target: named(key) }, 'keyctl', KEYCTL_REVOKE, idOf(key))
}
