import { chmodSync, chownSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { TareError } from '../../linux/error.ts'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID } from '../../linux/mount-flags.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { bindDatagrams, listenPackets } from '../../linux/unix-address.ts'
import { withTree } from '../../rootfs/system-tree.ts'
import { Descriptors } from '../../runtime/descriptors.ts'
import type { Monitor } from '../../runtime/monitor.ts'
import { startMonitor } from '../../runtime/monitor.ts'
import { planContainer } from '../../runtime/plan.ts'
import type { Running } from '../../runtime/running.ts'
import type { ContainerSpec } from '../../runtime/spec.ts'
import type { StageRequest } from '../../runtime/start.ts'
import { startContainer } from '../../runtime/start.ts'
import type { BootOptions } from '../boot-options.ts'
import { BOOT_OPTIONS } from '../boot-options.ts'
import { checkOptions } from '../check-options.ts'
import { exitCommand } from '../exit-command.ts'
import type { ResolvedBoot } from '../resolve-boot.ts'
import { resolveBoot } from '../resolve-boot.ts'
import { reserveLink } from '../resolve-network.ts'
import { openNothing } from '../stdio.ts'
import { holdSystem } from '../system-lock.ts'
import { ConsoleLog, LOG_CAPACITY } from './console-log.ts'
import { endMachine, forgetMachine } from './machine-cleanup.ts'
import { makeMachineDirectory } from './machine-directory.ts'
import type { MachineRecord } from './machine-record.ts'
import { machineFile, writeRecord } from './machine-record.ts'
import { identify } from './process-identity.ts'
import { register } from './register.ts'
import { rootOutside } from './tells-state.ts'

/** Where systemd finds the socket on which it says how far it is, as systemd-nspawn(1) has it. */
const NOTIFY = '/run/host/notify'

const withNotify = (spec: ContainerSpec, source: string): ContainerSpec => ({
  ...spec,
  process: { ...spec.process, env: [...spec.process.env, `NOTIFY_SOCKET=${NOTIFY}`] },
  mounts: [
    ...spec.mounts,
    {
      kind: 'bind',
      source,
      target: NOTIFY,
      attributes: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
      recursive: false,
      make: 'file',
      propagation: undefined,
      idmap: false,
    },
  ],
})

/** Paths of the host as they are meant now, for later boots too: those are started elsewhere. */
const absolute = (options: BootOptions): BootOptions =>
  options.mounts === undefined
    ? options
    : {
        ...options,
        mounts: options.mounts.map((mount) => {
          if (mount.type === 'tmpfs') return mount
          if (mount.type !== 'overlay') return { ...mount, source: resolve(mount.source) }
          const { lower, keep } = mount
          return {
            ...mount,
            lower: typeof lower === 'string' ? resolve(lower) : lower.map((path) => resolve(path)),
            ...(keep === undefined ? {} : { keep: resolve(keep) }),
          }
        }),
      }

/** Boots a machine that is registered, and leaves it to its monitor. What it has is removed if that fails. */
export const startMachine = async (
  state: string,
  record: MachineRecord,
  resolved: ResolvedBoot,
  lock: number,
): Promise<MachineRecord> => {
  const { name } = record
  const descriptors = new Descriptors()
  const log = new ConsoleLog(machineFile(state, name, 'log'), true)
  let current = record
  let monitor: Monitor | undefined
  let running: Running | undefined
  try {
    log.forgetInit()
    const nothing = descriptors.add(openNothing())
    const listener = descriptors.add(listenAt(machineFile(state, name, 'console'), listenPackets))
    const path = machineFile(state, name, 'notify')
    const owner = record.tellsState ? rootOutside(resolved.spec) : undefined
    const notify = owner === undefined ? undefined : descriptors.add(listenAt(path, bindDatagrams))
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid)
    const spec = notify === undefined ? resolved.spec : withNotify(resolved.spec, path)
    const plan = planContainer(spec, resolved.host)
    const network = reserveLink(spec, record.options)
    const link = network === undefined ? undefined : { name: network.name, address: network.addresses.container }
    current = { ...record, link }
    const start = async (request: StageRequest) => {
      const held = network?.descriptors ?? []
      const own = { nothing, lock, listener, log: log.fd, capacity: LOG_CAPACITY, notify }
      const parts = { ...own, held, exit: exitCommand(name) }
      monitor = await startMonitor(parts, request)
      current = { ...current, monitor: identify(monitor.pid), container: identify(monitor.container.pid) }
      writeRecord(state, current)
      return monitor.container
    }
    const stdio = [nothing, nothing, nothing] as const
    running = await startContainer(plan, { stdio, host: resolved.host, start, network })
    await leaveToMonitor(running, monitor, record)
    current = { ...current, started: true }
    writeRecord(state, current)
    return current
  } catch (error) {
    running?.kill()
    await running?.ended.catch(() => undefined)
    await monitor?.abandon()
    await endMachine(current)
    throw error
  } finally {
    log.close()
    descriptors.closeAll()
  }
}

/** In the place of what somebody who was killed has left there; for its owner alone. */
const listenAt = (path: string, listen: (path: string) => number): number => {
  rmSync(path, { force: true })
  const socket = listen(path)
  chmodSync(path, 0o600)
  return socket
}

const leaveToMonitor = async (
  running: Running,
  monitor: Monitor | undefined,
  { directory }: MachineRecord,
): Promise<void> => {
  const console = await running.terminalReady
  try {
    await running.started()
    if (!running.alive || console === undefined || monitor === undefined) {
      await running.ended
      throw new TareError({ operation: 'boot', target: directory, reason: 'its init has ended at once' })
    }
    await monitor.handOver(console)
  } finally {
    if (console !== undefined) trySyscall('close', console)
  }
  if (running.leave()) return
  await running.ended
  throw new TareError({ operation: 'boot', target: directory, reason: 'its init has ended at once' })
}

/** Boots the system in a directory in the background. Rejects as `bootMachine` does; nothing is left then. */
export const startInBackground = async (
  directory: string,
  options: BootOptions,
  name: string | undefined,
): Promise<MachineRecord> => {
  checkOptions(options, BOOT_OPTIONS)
  const resolved = withTree(directory, (tree) => resolveBoot(tree, options))
  const full = resolve(directory)
  const lock = holdSystem(full, 'boot')
  try {
    const state = makeMachineDirectory()
    const wanted = { directory: full, options: absolute(options), name, background: true }
    const record = await register(state, wanted, resolved)
    try {
      return await startMachine(state, record, resolved, lock)
    } catch (error) {
      forgetMachine(state, record)
      throw error
    }
  } finally {
    trySyscall('close', lock)
  }
}

/** What a system is booted with in the background, and called. */
export interface BackgroundBootOptions extends BootOptions {
  /** By which it is found again. Default: the name of the directory. */
  readonly name?: string
}
