import { randomBytes, randomUUID } from 'node:crypto'
import { readCgroupLayout, requireHierarchy } from '../linux/cgroup/layout.ts'
import type { CgroupLayout } from '../linux/cgroup/layout.ts'
import { cgroupParent } from '../linux/cgroup/parent.ts'
import { delegableControllers } from '../linux/cgroup/delegate.ts'
import { cgroupWrites } from '../linux/cgroup/writes.ts'
import type { ConsoleLogin } from '../rootfs/console-login.ts'
import { consoleLogin } from '../rootfs/console-login.ts'
import type { Init } from '../rootfs/init.ts'
import { findInit } from '../rootfs/init.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import { cgroupLeaf } from '../runtime/stale-cgroups.ts'
import type { CgroupSpec, ContainerSpec } from '../runtime/spec.ts'
import type { PlanHost } from '../runtime/plan/context.ts'
import type { BootOptions } from './boot-options.ts'
import { newName, resolveContainer } from './resolve.ts'
import { nameFrom, systemMounts } from './shell.ts'
import { checkSystem, systemIds } from './system.ts'

/**
 * What root of a booted system may do within its user namespace: what systemd and package managers work with. Nothing
 * that only the first user namespace can give anyway (devices, modules, clocks), since inits take a capability for the
 * promise that it works; and not CAP_DAC_READ_SEARCH, which opens files by handles.
 */
const CAPABILITIES: readonly string[] = [
  'CAP_AUDIT_WRITE',
  'CAP_IPC_OWNER',
  'CAP_LEASE',
  'CAP_NET_ADMIN',
  'CAP_NET_BROADCAST',
  'CAP_NET_RAW',
  'CAP_SETFCAP',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_PTRACE',
  'CAP_SYS_RESOURCE',
]

export interface ResolvedBoot {
  readonly spec: ContainerSpec
  readonly host: PlanHost
  readonly init: Init
  /** What whoever boots it is to know, in words. */
  readonly warnings: readonly string[]
}

/** Its machine id as a UUID: the one that it has, or a new one, which an init that knows of it keeps (machine-id(5)). */
const uuidOf = (tree: SystemTree): string => {
  const known = tree.read('/etc/machine-id')?.trim() ?? ''
  const id = /^[0-9a-f]{32}$/.test(known) ? known : randomBytes(16).toString('hex')
  return id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** A group of its own on version 2, whatever else this host has: no init needs version 1 any more. */
const resolveCgroup = (layout: CgroupLayout, given: CgroupSpec | undefined): CgroupSpec => {
  const unified = requireHierarchy(layout, 'unified', 'give the system control groups of its own')
  const limits = given?.limits ?? {}
  const needed = [...new Set(cgroupWrites(layout, limits).map(({ controller }) => controller))]
  const parent = cgroupParent(layout, ['unified', ...needed], 'empty')
  return { name: `${parent}/${cgroupLeaf(newName())}`, limits, delegated: delegableControllers(unified, parent) }
}

/** What whoever sits in front of its console would wait for in vain. */
const warningsOf = (tree: SystemTree, login: ConsoleLogin): readonly string[] =>
  login === 'none'
    ? [`nothing in ${tree.path} asks for a login on the console: its init has a getty neither on console nor on tty1`]
    : []

/** Turns options into a system about to be booted. Throws {@link InputError}; nothing has happened then. */
export const resolveBoot = (tree: SystemTree, options: BootOptions): ResolvedBoot => {
  const { init: program, arguments: words = [], env, console, ephemeral = false, mounts = [], capAdd = [] } = options
  const { init: _init, arguments: _arguments, console: _console, ephemeral: _ephemeral, ...shared } = options
  checkSystem(tree)
  const init = findInit(tree, program)
  const login = consoleLogin(tree, init.kind)
  const own = options.uidMappings ?? options.gidMappings
  const { spec, host } = resolveContainer(
    [init.path, ...words],
    {
      hostname: nameFrom(tree.path),
      ...(own === undefined ? systemIds(tree) : {}),
      ...shared,
      rootfs: tree.path,
      ...(ephemeral ? { overlay: true } : {}),
      mounts: [...systemMounts(tree, options.network), ...mounts],
      capAdd: [...CAPABILITIES, ...capAdd],
      noNewPrivileges: false,
      init: false,
      tty: console ?? true,
      env: { HOME: undefined, HOSTNAME: undefined, container: 'tare', container_uuid: uuidOf(tree), ...env },
    },
    { boots: true },
  )
  const cgroups = readCgroupLayout()
  return {
    spec: {
      ...spec,
      process: { ...spec.process, console: { links: login === 'tty1' || login === 'unknown' ? ['tty1'] : [] } },
      cgroup: resolveCgroup(cgroups, spec.cgroup),
      writablePaths: spec.network !== 'host' ? ['/proc/sys/net'] : [],
      replacedFiles: [
        // By this a journal tells one boot from another.
        ['/proc/sys/kernel/random/boot_id', `${randomUUID()}\n`],
        // Start scripts look here for words like `single`; those of the host are not meant for it.
        ['/proc/cmdline', `${words.join(' ')}\n`],
      ],
    },
    host: { ...host, cgroups },
    init,
    warnings: warningsOf(tree, login),
  }
}
