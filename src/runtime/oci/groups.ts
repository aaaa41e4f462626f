import type { LinuxResources } from '../../oci/resources.ts'
import { cgroupLimits, deviceRules } from '../../oci/limits.ts'
import type { Cgroup } from '../../linux/cgroup/cgroup.ts'
import { createCgroup } from '../../linux/cgroup/create.ts'
import type { CgroupHierarchy, CgroupLayout } from '../../linux/cgroup/layout.ts'
import type { CgroupLimits } from '../../linux/cgroup/limits.ts'
import { cgroupParent } from '../../linux/cgroup/parent.ts'
import { InputError, TareError } from '../../linux/error.ts'
import type { PlanHost } from '../plan/context.ts'

/** Which groups a container gets. */
export interface GroupRequest {
  readonly name: string
  readonly limits: CgroupLimits
  readonly controllers: readonly string[]
}

const refuse = (reason: string, hint: string): never => {
  throw new InputError({ operation: 'use', target: 'config.json: linux.cgroupsPath', reason, hint })
}

/** An absolute path is one from the root of the hierarchies; any other is Tare's to place. */
const nameOf = (layout: CgroupLayout, path: string | undefined, id: string): string => {
  const parts = (path ?? id).split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) refuse(`${JSON.stringify(path)} leads upwards`, 'Give a path without "..".')
  if (parts.length === 0) refuse('it is the root group', 'Give the path of a group below it.')
  return path?.startsWith('/') === true ? parts.join('/') : [cgroupParent(layout), ...parts].join('/')
}

/** What engines look into for what a container uses, and what stops it: whatever of it this host has. */
const WANTED = ['cpu', 'cpuset', 'io', 'memory', 'pids', 'hugetlb', 'rdma', 'misc']

const controllersOf = ({ hierarchies, kind }: CgroupLayout): readonly string[] => {
  if (kind === 'v2') {
    const [unified] = hierarchies
    return ['unified', ...WANTED.filter((name) => unified?.controllers.includes(name))]
  }
  return hierarchies
    .filter(({ version }) => version === 1)
    .flatMap(({ controllers: [first] }) => (first === undefined ? [] : [first]))
}

const hasLimits = (limits: CgroupLimits): boolean => Object.values(limits).some((limit: unknown) => limit !== undefined)

/**
 * The groups that a container is to have; none where this user may have none and no limit was asked for. Throws
 * {@link InputError} for a path that is none.
 */
export const groupsFor = (
  host: PlanHost,
  {
    id,
    cgroupsPath,
    resources,
  }: {
    readonly id: string
    readonly cgroupsPath: string | undefined
    readonly resources: LinuxResources | undefined
  },
): GroupRequest | undefined => {
  const { cgroups: layout, privileged } = host
  const asked = cgroupLimits(resources ?? {})
  // An ordinary user's containers have no other devices than those that are mounted in them.
  const limits = privileged ? { ...asked, devices: asked.devices ?? deviceRules([]) } : { ...asked, devices: undefined }
  if (layout === undefined || layout.kind === 'none') {
    if (!hasLimits(asked)) return undefined
    throw new InputError({ operation: 'set a limit', reason: 'no cgroup hierarchy is mounted' })
  }
  try {
    return { name: nameOf(layout, cgroupsPath, id), limits, controllers: controllersOf(layout) }
  } catch (error) {
    if (privileged || hasLimits(limits) || !(error instanceof TareError)) throw error
    return undefined
  }
}

/** Where those groups will be, by the hierarchy's name. */
export const groupPaths = (
  { hierarchies }: CgroupLayout,
  { name, controllers }: GroupRequest,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    hierarchies
      .filter(
        (hierarchy: CgroupHierarchy) =>
          hierarchy.version === 2 || hierarchy.controllers.some((controller) => controllers.includes(controller)),
      )
      .map((hierarchy) => [hierarchy.name, `${hierarchy.mountPoint}/${name}`]),
  )

/** Makes the groups, with their limits. Throws {@link TareError}, and leaves none then. */
export const makeGroups = (layout: CgroupLayout, { name, limits, controllers }: GroupRequest): Cgroup =>
  createCgroup(layout, name, limits, { controllers, existing: 'use' })
