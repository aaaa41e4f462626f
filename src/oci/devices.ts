import type { Read } from './fields.ts'
import { absolutePath, boolean, Fields, integer, oneOf, refuse, show, string, uint32 } from './fields.ts'

/** What mknod(1) calls them: character, the same unbuffered, block, pipe. */
export const DEVICE_TYPES = ['c', 'u', 'b', 'p'] as const

/** An entry of `linux.devices`: a node that is to be there. */
export interface LinuxDevice {
  readonly type: (typeof DEVICE_TYPES)[number]
  /** Absolute, in the container. */
  readonly path: string
  /** 0 for a pipe. */
  readonly major: number
  readonly minor: number
  /** Of its 12 bits of permissions; what a file mode has above them is left out. */
  readonly fileMode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

/** As dev_t of the kernel has them: 12 bits, and 20. */
const MAJOR_MAX = 0xfff
const MINOR_MAX = 0xf_ffff

/** Reads an entry of `linux.devices`. */
export const readDevice: Read<LinuxDevice> = (value, at) => {
  const fields = new Fields(value, at)
  const type = fields.required('type', oneOf(DEVICE_TYPES))
  const number = (key: string, most: number): number => (type === 'p' ? 0 : fields.required(key, integer(0, most)))
  return {
    type,
    path: fields.required('path', absolutePath),
    major: number('major', MAJOR_MAX),
    minor: number('minor', MINOR_MAX),
    fileMode: fields.optional('fileMode', (mode, place) => uint32(mode, place) & 0o7777),
    uid: fields.optional('uid', uint32),
    gid: fields.optional('gid', uint32),
  }
}

/** An entry of `linux.resources.devices`: access that is given or taken. */
export interface LinuxDeviceCgroup {
  readonly allow: boolean
  /** All where absent. */
  readonly type?: 'a' | 'b' | 'c' | undefined
  /** Any where absent. */
  readonly major?: number | undefined
  readonly minor?: number | undefined
  /** Some of `r`, `w`, `m`. */
  readonly access: string
}

/** Engines that had no optional numbers wrote -1 for any. */
const readNumber: Read<number | undefined> = (value, at) => (value === -1 ? undefined : uint32(value, at))

const readAccess: Read<string> = (value, at) => {
  const access = string(value, at)
  return /^[rwm]+$/.test(access)
    ? access
    : refuse(at, `${show(access)} is not made of r (read), w (write) and m (mknod)`)
}

/** Reads an entry of `linux.resources.devices`. */
export const readDeviceCgroup: Read<LinuxDeviceCgroup> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    allow: fields.required('allow', boolean),
    type: fields.optional('type', (type, place) =>
      type === '' ? undefined : oneOf(['a', 'b', 'c'] as const)(type, place),
    ),
    major: fields.optional('major', readNumber),
    minor: fields.optional('minor', readNumber),
    access: fields.required('access', readAccess),
  }
}

/** An entry of `linux.netDevices`, by the name on the host. */
export interface LinuxNetDevice {
  /** In the container; the same as on the host where absent. A `%d` in it is filled in by the kernel. */
  readonly name?: string | undefined
}

/** What dev_valid_name() of the kernel takes: below IFNAMSIZ bytes, no slash, colon or space, and neither . nor .. */
export const checkInterfaceName = (name: string, at: string): string => {
  const bytes = Buffer.byteLength(name)
  if (bytes > 0 && bytes < 16 && name !== '.' && name !== '..' && !/[/:\s]/.test(name)) return name
  return refuse(at, `${show(name)} is no name of a network interface`)
}

/** Reads an entry of `linux.netDevices`. */
export const readNetDevice: Read<LinuxNetDevice> = (value, at) => ({
  name: new Fields(value, at).optional('name', (name, place) =>
    name === '' ? undefined : checkInterfaceName(string(name, place), place),
  ),
})
