import { ERRNO, errnoName } from './errno.ts'
import { InputError, TareError } from './error.ts'
import type { Hints } from './hinted-syscall.ts'
import { hintedSyscall } from './hinted-syscall.ts'
import type { Purpose, SyscallName } from './syscall.ts'
import { trySyscall } from './syscall.ts'

/**
 * A file, by path or by descriptor. A descriptor opened with O_PATH won't do (EBADF): name it as
 * `/proc/self/fd/N` instead.
 */
export type XattrTarget = string | number

export interface XattrOptions {
  /** Whether a symbolic link at the end of the path is followed (true unless said otherwise). */
  readonly follow?: boolean | undefined
  /** What it is for, in errors; by default the attribute is named. */
  readonly purpose?: Omit<Purpose, 'hint'> | undefined
}

export interface SetXattrOptions extends XattrOptions {
  /** `create` fails with EEXIST where the attribute exists, `replace` with ENODATA where it doesn't. */
  readonly mode?: 'create' | 'replace' | undefined
}

type Calls = readonly [path: SyscallName, link: SyscallName, fd: SyscallName]

const GET: Calls = ['getxattr', 'lgetxattr', 'fgetxattr']
const SET: Calls = ['setxattr', 'lsetxattr', 'fsetxattr']
const LIST: Calls = ['listxattr', 'llistxattr', 'flistxattr']
const REMOVE: Calls = ['removexattr', 'lremovexattr', 'fremovexattr']

const MODES = { create: 1, replace: 2 } as const

const UNSUPPORTED = 'The file system, or this kind of file, holds no such attributes.'

const pick = (calls: Calls, target: XattrTarget, options: XattrOptions): SyscallName =>
  typeof target === 'number' ? calls[2] : options.follow === false ? calls[1] : calls[0]

const purposeOf = (operation: string, target: XattrTarget, { purpose }: XattrOptions): Omit<Purpose, 'hint'> =>
  purpose ?? { operation, target: typeof target === 'number' ? `descriptor ${target}` : target }

/** Asks for the size, then for the bytes, and again where they grew in between. */
const fetchBytes = (call: (buffer: Uint8Array | null, size: number) => number): Uint8Array | number => {
  for (;;) {
    const size = call(null, 0)
    if (size < 0) return size
    const buffer = new Uint8Array(size)
    if (size === 0) return buffer
    const got = call(buffer, size)
    if (got >= 0) return buffer.subarray(0, got)
    if (got !== -(ERRNO['ERANGE'] ?? 0)) return got
  }
}

/** The value of an extended attribute, or undefined where the file has none of that name. getxattr(2) */
export const getXattr = (target: XattrTarget, name: string, options: XattrOptions = {}): Uint8Array | undefined => {
  const call = pick(GET, target, options)
  const value = fetchBytes((buffer, size) => trySyscall(call, target, name, buffer, size))
  if (typeof value !== 'number') return value
  if (-value === ERRNO['ENODATA']) return undefined
  throw new TareError({
    ...purposeOf(`read the attribute ${name} of`, target, options),
    syscall: call,
    errno: -value,
    hint: -value === ERRNO['EOPNOTSUPP'] ? UNSUPPORTED : undefined,
  })
}

/** Sets an extended attribute. setxattr(2) */
export const setXattr = (target: XattrTarget, name: string, value: Uint8Array, options: SetXattrOptions = {}): void => {
  const flags = options.mode === undefined ? 0 : MODES[options.mode]
  const call = pick(SET, target, options)
  const purpose = purposeOf(`set the attribute ${name} of`, target, options)
  hintedSyscall(purpose, writeHints(name), call, target, name, value, value.length, flags)
}

const TAKES: Readonly<Record<string, string>> = {
  security: 'It takes CAP_SYS_ADMIN (security.capability: CAP_SETFCAP) in the user namespace of the mount.',
  trusted: 'It takes CAP_SYS_ADMIN in the initial user namespace.',
  user: 'Only ordinary files and directories that may be written to hold user attributes.',
}

const writeHints = (name: string): Hints => {
  const takes = TAKES[name.slice(0, name.indexOf('.'))]
  const wrong = 'A name starts with user., security., trusted. or system. (xattr(7)).'
  return { EOPNOTSUPP: takes === undefined ? wrong : UNSUPPORTED, ...(takes !== undefined && { EPERM: takes }) }
}

/** Removes an extended attribute; false where the file had none of that name. removexattr(2) */
export const removeXattr = (target: XattrTarget, name: string, options: XattrOptions = {}): boolean => {
  const call = pick(REMOVE, target, options)
  const result = trySyscall(call, target, name)
  if (result === 0) return true
  if (-result === ERRNO['ENODATA']) return false
  const purpose = purposeOf(`remove the attribute ${name} of`, target, options)
  throw new TareError({ ...purpose, syscall: call, errno: -result, hint: writeHints(name)[errnoName(-result)] })
}

/** The names in what listxattr(2) has filled: each ends with a NUL. */
export const parseXattrNames = (bytes: Uint8Array): readonly string[] => {
  if (bytes.length === 0) return []
  if (bytes.at(-1) !== 0) throw new InputError({ operation: 'read a list of attributes', reason: 'it ends in a name' })
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length - 1)
    .toString()
    .split('\0')
}

/** The names of a file's extended attributes that this thread may see. listxattr(2) */
export const listXattrs = (target: XattrTarget, options: XattrOptions = {}): readonly string[] => {
  const call = pick(LIST, target, options)
  const names = fetchBytes((buffer, size) => trySyscall(call, target, buffer, size))
  if (typeof names !== 'number') return parseXattrNames(names)
  throw new TareError({
    ...purposeOf('list the attributes of', target, options),
    syscall: call,
    errno: -names,
    hint: -names === ERRNO['EOPNOTSUPP'] ? UNSUPPORTED : undefined,
  })
}
