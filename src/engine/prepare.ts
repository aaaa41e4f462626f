import type { FileType } from '../linux/file-type.ts'
import { fileType } from '../linux/file-type.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { ContainerPlan } from '../runtime/plan/container-plan.ts'
import type { PlanHost } from '../runtime/plan/context.ts'
import { PlanTemplate } from '../runtime/plan-template.ts'
import { planContainer } from '../runtime/plan.ts'
import { cgroupLeaf } from '../runtime/stale-cgroups.ts'
import type { ContainerSpec } from '../runtime/spec.ts'
import type { ContainerOptions, RunOptions } from './options.ts'
import { PROGRAM_OPTIONS } from './options.ts'
import { newName, resolveArgv0, resolveContainer } from './resolve.ts'
import { resolveEnv } from './resolve-process.ts'
import { newRange } from './resolve-user-namespace.ts'
import type { ResolvedUser } from './resolve-user.ts'

/** A container about to be started. */
export interface Prepared {
  readonly plan: ContainerPlan
  readonly host: PlanHost
  /** To be called if it could not be started: the next one like it is planned anew. */
  readonly forget: () => void
}

interface Known {
  readonly template: PlanTemplate
  readonly host: PlanHost
  readonly user: ResolvedUser
  /** What was looked up on the host for it, and must be as it was. */
  readonly files: readonly LookedUp[]
  /** Which paths to hide this kernel had not, at that time (performance.now()). */
  readonly absent: readonly string[]
  absentAt: number
}

type LookedUp = readonly [path: string, type: FileType | undefined]

/**
 * How long, in milliseconds, a path that isn't there is taken not to be. It takes the loading of a module to change it,
 * and a container that runs already isn't safe from that either.
 */
const ABSENCE = 1000

/** Containers that were planned before, by their options; the oldest goes first. One that came once may never again. */
const known = new Map<string, Known | 'once'>()
const MOST = 16

/** Options that a program or a container has to itself, and so aren't part of what makes two alike. */
const PARTICULAR: ReadonlySet<string> = new Set(['env', ...PROGRAM_OPTIONS])

/** Options whose meaning depends on files of the host that would have to be read again. */
const isSimple = ({ rootfs, user, groups, devices, seccomp, cgroup, overlay, network }: ContainerOptions): boolean =>
  (rootfs === undefined || rootfs === 'system') &&
  (user === undefined || typeof user === 'number') &&
  groups === undefined &&
  devices === undefined &&
  typeof seccomp !== 'object' &&
  cgroup === undefined &&
  overlay === undefined &&
  network !== 'veth'

/** The same for containers that may share a template; undefined where there is none. */
const keyOf = (options: RunOptions): string | undefined => {
  if (!isSimple(options)) return undefined
  const shared: unknown[] = [trySyscall('geteuid'), options.mounts === undefined ? '' : process.cwd(), options.tty]
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'bigint') return undefined
    if (value !== undefined && !PARTICULAR.has(name)) shared.push(name, value)
  }
  return JSON.stringify(shared)
}

/** Paths that appear with a module of the kernel; all others are there from its start, or never. */
const FROM_MODULES: readonly string[] = ['/proc/acpi', '/proc/asound', '/proc/scsi', '/sys/devices/virtual/powercap']

/** What is at the sources of the caller's mounts; they stand last. */
const sourcesOf = ({ mounts: all }: ContainerSpec, { mounts = [] }: ContainerOptions): readonly LookedUp[] =>
  (mounts.length === 0 ? [] : all.slice(-mounts.length)).flatMap((mount) =>
    mount.kind === 'bind' ? [[mount.source, fileType(mount.source, { follow: true })] as const] : [],
  )

const absentOf = (spec: ContainerSpec, host: PlanHost): readonly string[] =>
  FROM_MODULES.filter((path) => spec.maskedPaths.includes(path) && host.kernelFile(path) === undefined)

const isAsBefore = (before: Known): boolean => {
  if (!before.files.every(([path, type]) => fileType(path, { follow: true }) === type)) return false
  const now = performance.now()
  if (now - before.absentAt < ABSENCE) return true
  before.absentAt = now
  return before.absent.every((path) => fileType(path, { follow: true }) === undefined)
}

const fill = (
  { template, host, user }: Known,
  command: readonly string[],
  options: RunOptions,
  forget: () => void,
): Prepared => {
  const { spec } = template
  const name = newName()
  const hostname = options.hostname ?? name
  const { userNamespace, process, cgroup } = spec
  const ranged =
    host.privileged &&
    userNamespace.kind === 'mapped' &&
    options.uidMappings === undefined &&
    options.gidMappings === undefined
  const plan = template.make({
    args: command,
    argv0: resolveArgv0(options.argv0),
    env: resolveEnv(options.env, user, { hostname, tty: process.terminal }),
    hostname,
    firstId: ranged ? newRange() : undefined,
    cgroupName: cgroup?.name.replace(/[^/]+$/, cgroupLeaf(name)),
  })
  return { plan, host, forget }
}

/**
 * A plan for a container with these options. Options that were planned before are only filled in: what differs between
 * two containers alike is the program, its environment, a name and a range of ids. Throws {@link InputError}.
 *
 * @param anew Whether it is to be planned from the start in any case, with all its data in the plan itself.
 */
export const prepareContainer = (command: readonly string[], options: RunOptions, anew: boolean): Prepared => {
  const key = anew ? undefined : keyOf(options)
  if (key === undefined) {
    const { spec, host } = resolveContainer(command, options)
    return { plan: planContainer(spec, host), host, forget: () => undefined }
  }
  const forget = (): void => void known.delete(key)
  const before = known.get(key)
  if (typeof before === 'object' && isAsBefore(before)) return fill(before, command, options, forget)
  const { spec, host, user } = resolveContainer(command, options)
  known.delete(key)
  if (before === undefined) known.set(key, 'once')
  else
    known.set(key, {
      template: new PlanTemplate(spec, host),
      host,
      user,
      files: sourcesOf(spec, options),
      absent: absentOf(spec, host),
      absentAt: performance.now(),
    })
  const [oldest] = known.keys()
  if (known.size > MOST && oldest !== undefined) known.delete(oldest)
  return { plan: planContainer(spec, host), host, forget }
}
