import { kernelDevice } from '../../linux/device-number.ts'
import { idOutside } from '../../linux/idmap.ts'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from '../../linux/mount-flags.ts'
import type { Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { Device } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { attachBelow, hostTree, makeFilesystem } from './mounts.ts'
import type { PlannedRoot } from './root.ts'
import { makeEntry } from './entries.ts'
import { attachInRoot } from './targets.ts'
import { planConsole, planTerminal } from './terminal.ts'

const S_IFREG = 0o100000
const TYPE = { c: 0o020000, b: 0o060000 } as const
/** The group `tty`, which Debian, Red Hat and systemd agree on. */
const TTY_GROUP = 5

const LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
] as const

const isMapped = ({ spec: { userNamespace } }: PlanContext, gid: number): boolean =>
  userNamespace.kind === 'host' || idOutside(userNamespace.gids, gid) !== undefined

/** A node for a device below /dev: made where mknod(2) is allowed, else the host's own, bind-mounted. */
const makeDevice = (context: PlanContext, dev: Register, device: Device, made: Set<string>): void => {
  const { stage } = context
  const name = device.path.slice('/dev/'.length)
  const directories = name.split('/').slice(0, -1)
  directories.forEach((_, index) => {
    const path = directories.slice(0, index + 1).join('/')
    if (made.has(path)) return
    makeEntry(context, dev, { kind: 'directory', path, mode: 0o755 })
    made.add(path)
  })
  const number = `${device.type} ${device.major}:${device.minor}`
  if (!context.mapped && context.host.privileged) {
    const mode = TYPE[device.type] | device.mode
    stage.call({ what: `make the device ${device.path}`, why: number }, 'mknodat', [
      dev,
      context.string(name),
      named(mode, `0${mode.toString(8)}`),
      named(kernelDevice(device), number),
    ])
    return
  }
  const tree = hostTree(context, device.source, false)
  stage.call({ what: `make ${device.path} to mount on` }, 'mknodat', [
    dev,
    context.string(name),
    named(S_IFREG | 0o644, 'S_IFREG|0644'),
    0,
  ])
  attachBelow(
    context,
    tree,
    dev,
    name,
    `mount the host's ${device.source} there`,
    'a user namespace may not make devices',
  )
  stage.release(tree)
}

/** /dev: a few devices, terminals and shared memory of its own, and nothing of the host's. Returns the mount. */
export const planDevices = (context: PlanContext, root: PlannedRoot): Register => {
  const dev = makeFilesystem(
    context,
    'tmpfs',
    'make an empty /dev',
    'it holds no device of the host',
    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
    [
      ['mode', '755'],
      ['size', '65536k'],
    ],
  )
  attachInRoot(context, root, dev, '/dev', 'directory', 'mount it at /dev')
  const made = new Set(['pts', 'shm', 'mqueue'])
  for (const path of made) makeEntry(context, dev, { kind: 'directory', path, mode: 0o755 })
  for (const [path, target] of LINKS) makeEntry(context, dev, { kind: 'link', path, target })
  for (const device of context.spec.devices) makeDevice(context, dev, device, made)
  const ptsOptions: [string, string | undefined][] = [
    ['ptmxmode', '0666'],
    ['mode', '0620'],
  ]
  if (isMapped(context, TTY_GROUP)) ptsOptions.push(['gid', String(TTY_GROUP)])
  const pts = makeFilesystem(
    context,
    'devpts',
    'make a devpts',
    'terminals of its own',
    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
    ptsOptions,
  )
  attachBelow(context, pts, dev, 'pts', 'mount it at /dev/pts')
  if (context.spec.process.terminal) planConsole(context, dev, planTerminal(context, pts, 'ptmx'))
  const harmless = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
  const shm = makeFilesystem(context, 'tmpfs', 'make a tmpfs for shared memory', '', harmless, [
    ['mode', '1777'],
    ['size', '65536k'],
  ])
  attachBelow(context, shm, dev, 'shm', 'mount it at /dev/shm')
  const mqueue = makeFilesystem(
    context,
    'mqueue',
    'make an mqueue',
    'message queues of its own ipc namespace',
    harmless,
  )
  attachBelow(context, mqueue, dev, 'mqueue', 'mount it at /dev/mqueue')
  for (const register of [pts, shm, mqueue]) context.stage.release(register)
  return dev
}
