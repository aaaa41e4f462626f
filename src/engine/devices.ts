import { statSync } from 'node:fs'
import { splitDevice } from '../linux/device-number.ts'
import { InputError } from '../linux/error.ts'
import type { DeviceRule } from '../linux/cgroup/device-rule.ts'
import type { Device } from '../runtime/spec.ts'

const standard = (name: string, major: number, minor: number): Device => ({
  path: `/dev/${name}`,
  type: 'c',
  major,
  minor,
  mode: 0o666,
  source: `/dev/${name}`,
})

/** The devices that every program may expect (runtime-spec, config-linux.md, "Default Devices"). */
export const DEFAULT_DEVICES: readonly Device[] = [
  standard('null', 1, 3),
  standard('zero', 1, 5),
  standard('full', 1, 7),
  standard('random', 1, 8),
  standard('urandom', 1, 9),
  standard('tty', 5, 0),
]

/** What may be used of device nodes that a container makes itself: those above, and its terminals. */
export const DEVICE_RULES: readonly DeviceRule[] = [
  { allow: false, type: 'a', access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...DEFAULT_DEVICES.map(({ major, minor }): DeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
]

/** The default devices, and those given: a given one takes the place of the default one at its path. */
export const withDefaults = (given: readonly Device[]): readonly Device[] => [
  ...DEFAULT_DEVICES.filter(({ path }) => !given.some((device) => device.path === path)),
  ...given,
]

/** Devices of the host by path, `host` or `host:container`. */
export const resolveDevices = (devices: readonly string[]): readonly Device[] =>
  devices.map((text): Device => {
    const [source = '', path = source, ...rest] = text.split(':')
    const operation = `use the device ${text}`
    if (rest.length > 0 || !path.startsWith('/dev/') || path.split('/').includes('..'))
      throw new InputError({ operation, reason: 'it is not HOST or HOST:CONTAINER, both below /dev' })
    const stats = statSync(source, { bigint: true, throwIfNoEntry: false })
    if (stats === undefined) throw new InputError({ operation, reason: 'the host has no such device' })
    if (!stats.isCharacterDevice() && !stats.isBlockDevice())
      throw new InputError({ operation, reason: `${source} is not a device` })
    return {
      path,
      type: stats.isBlockDevice() ? 'b' : 'c',
      ...splitDevice(stats.rdev),
      mode: Number(stats.mode & 0o777n),
      source,
    }
  })
