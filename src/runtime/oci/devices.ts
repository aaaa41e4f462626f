import type { LinuxDevice } from '../../oci/devices.ts'
import { kernelDevice } from '../../linux/device-number.ts'
import { ERRNO } from '../../linux/errno.ts'
import type { Data, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { attachBelow } from '../plan/mounts.ts'
import type { OciContext } from './context.ts'
import type { ReadMount } from './mounts.ts'
import { sourceTree } from './root.ts'
import { openTarget } from './targets.ts'

const { EEXIST = 17, ENOENT = 2 } = ERRNO
const TYPE = { c: 0o020000, u: 0o020000, b: 0o060000, p: 0o010000 } as const
const S_IFREG = 0o100000

const character = (name: string, major: number, minor: number): LinuxDevice => ({
  type: 'c',
  path: `/dev/${name}`,
  major,
  minor,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
})

/** What every container is given (config-linux.md, Default Devices), but for the terminals, which devpts brings. */
const DEFAULTS: readonly LinuxDevice[] = [
  character('null', 1, 3),
  character('zero', 1, 5),
  character('full', 1, 7),
  character('random', 1, 8),
  character('urandom', 1, 9),
  character('tty', 5, 0),
]

const LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
] as const

/** A device, and the host's own where mknod(2) isn't allowed. */
export interface PlannedDevice {
  readonly device: LinuxDevice
  readonly source: Register | undefined
}

/** A /dev that is the host's, or one that somebody else has filled, is left as it is. */
const isForeign = (mounts: readonly ReadMount[]): boolean =>
  mounts.some(({ kind, target }) => kind === 'bind' && target === '/dev')

/** Offsets of stx_rdev_major and stx_rdev_minor, and the size of struct statx (statx(2)). */
const RDEV = [0x80, 0x84] as const
const STATX_SIZE = 256

/** What is there already must be that device: by its numbers, which a file of another sort has not. */
const checkThere = (
  { stage, data }: OciContext,
  parent: Register,
  name: Data,
  { path, major, minor }: LinuxDevice,
): void => {
  const status = data.space(STATX_SIZE, '{what is there}')
  const words = { what: `make the device ${path}`, hints: { EEXIST: 'The root has something else there.' } }
  stage.call({ what: `look at ${path}` }, 'statx', [parent, name, named(0x100, 'AT_SYMLINK_NOFOLLOW'), 0, status])
  const number = stage.register('number')
  for (const [index, value] of [major, minor].entries()) {
    stage.loadInto(number, words, status.offset + (RDEV[index] ?? 0), 4)
    stage.check(words, number, value, EEXIST)
  }
  stage.release(number)
}

/** Which devices are made; those that can't be made are taken from the host while it is to be seen. */
export const planDeviceSources = (
  context: OciContext,
  mounts: readonly ReadMount[],
): readonly PlannedDevice[] | undefined => {
  if (isForeign(mounts)) return undefined
  const own = context.oci.linux?.devices ?? []
  const devices = [...DEFAULTS.filter(({ path }) => own.every((device) => device.path !== path)), ...own]
  const mayMake = context.host.privileged && !context.inUserNamespace
  return devices.map((device) => ({
    device,
    source: mayMake || device.type === 'p' ? undefined : sourceTree(context, device.path, false),
  }))
}

const planDevice = (context: OciContext, parent: Register, { device, source }: PlannedDevice): void => {
  const { stage } = context
  const { path, type, major, minor, fileMode = 0o666, uid = 0, gid = 0 } = device
  const base = path.slice(path.lastIndexOf('/') + 1)
  const name = context.string(base)
  const [there, made] = [stage.label(), stage.label()]
  const number = `${type} ${major}:${minor}`
  if (source !== undefined) {
    const words = { what: `make ${path} to mount on` }
    stage.call(words, 'mknodat', [parent, name, named(S_IFREG, 'S_IFREG'), 0], [{ errno: EEXIST, to: there }])
    stage.place(there)
    attachBelow(context, source, parent, base, `mount the host's ${path} there`)
    stage.release(source)
    return
  }
  const mode = TYPE[type] | fileMode
  stage.call(
    { what: `make the device ${path}`, why: number },
    'mknodat',
    [parent, name, named(mode, `0${mode.toString(8)}`), named(kernelDevice({ major, minor }), number)],
    [{ errno: EEXIST, to: there }],
  )
  if (uid !== 0 || gid !== 0)
    stage.call({ what: `give it to ${uid}:${gid}` }, 'fchownat', [
      parent,
      name,
      uid,
      gid,
      named(0x100, 'AT_SYMLINK_NOFOLLOW'),
    ])
  stage.jump({ what: 'go on' }, made)
  stage.place(there)
  checkThere(context, parent, name, device)
  stage.place(made)
}

const planLinks = (context: OciContext, dev: Register): void => {
  const { stage, host } = context
  const links = host.kernelFile('/proc/kcore') === undefined ? LINKS : [...LINKS, ['core', '/proc/kcore'] as const]
  for (const [name, target] of links) {
    const there = stage.label()
    const words = { what: `link /dev/${name} to ${target}` }
    stage.call(words, 'symlinkat', [context.string(target), dev, context.string(name)], [{ errno: EEXIST, to: there }])
    stage.place(there)
  }
  const gone = stage.label()
  const words = { what: 'take away a /dev/ptmx', why: 'it would be that of the host’s terminals' }
  stage.call(words, 'unlinkat', [dev, context.string('ptmx'), 0], [{ errno: ENOENT, to: gone }])
  stage.place(gone)
  stage.call({ what: 'link /dev/ptmx to pts/ptmx' }, 'symlinkat', [
    context.string('pts/ptmx'),
    dev,
    context.string('ptmx'),
  ])
}

/** Makes the devices and the links of /dev. */
export const planDevices = (
  context: OciContext,
  root: Register,
  devices: readonly PlannedDevice[] | undefined,
): void => {
  if (devices === undefined) return
  const { stage } = context
  stage.mechanism('chroot')
  const parents = new Map<string, Register>()
  for (const planned of devices) {
    const { path } = planned.device
    const parent = path.slice(0, path.lastIndexOf('/')) || '/'
    const opened = parents.get(parent) ?? openTarget(context, root, parent, 'directory')
    parents.set(parent, opened)
    planDevice(context, opened, planned)
  }
  const dev = parents.get('/dev')
  if (dev !== undefined) planLinks(context, dev)
  for (const register of parents.values()) stage.release(register)
}
