import { MOUNT_ATTR_RDONLY } from '../../linux/mount-flags.ts'
import type { CgroupHierarchy } from '../../linux/cgroup/layout.ts'
import { CLONE_NEWCGROUP } from '../../linux/namespace.ts'
import type { Named, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { makeEntry } from '../plan/entries.ts'
import { attachBelow, makeFilesystem, setAttributes } from '../plan/mounts.ts'
import type { OciContext } from './context.ts'
import type { ReadMount } from './mounts.ts'
import { sourceTree } from './root.ts'
import { attachAt } from './targets.ts'

/** A group of the container's in one hierarchy. */
export interface GroupDirectory {
  readonly hierarchy: CgroupHierarchy
  /** Absolute, on the host. */
  readonly directory: string
}

/** How the container gets into its groups. */
export interface PlannedGroups {
  readonly directories: readonly GroupDirectory[]
  /** Tare's registers of the open files that the stage writes to. */
  readonly files: readonly { readonly hierarchy: CgroupHierarchy; readonly register: Register; readonly fd: Named }[]
  /** Of a group of version 2: Tare's register of the directory that the stage is born in. */
  readonly birth: Register | undefined
}

/** On pure version 2 the stage is born in its group; else it writes to a file of each hierarchy (see `planCgroup`). */
export const planGroups = (context: OciContext, directories: readonly GroupDirectory[]): PlannedGroups => {
  const { prepare, host } = context
  const born = host.cgroups?.kind === 'v2'
  return {
    directories,
    birth: born && directories.length > 0 ? prepare.pinnedRegister('cgroup fd') : undefined,
    files: born
      ? []
      : directories.map(({ hierarchy }) => {
          const register = prepare.pinnedRegister(`cgroup ${hierarchy.name} fd`)
          return { hierarchy, register, fd: context.inherit(register) }
        }),
  }
}

/** Joins the groups, and makes them the root of what the container sees of them. */
export const planGroupsJoin = (context: OciContext, { files }: PlannedGroups): void => {
  const { stage, namespaces } = context
  stage.mechanism('cgroups')
  for (const { hierarchy, fd } of files) {
    const words = { what: `join the cgroup in the hierarchy ${hierarchy.name}`, why: 'its limits hold from here on' }
    stage.call(words, 'write', [fd, context.string('0'), 1])
  }
  if (namespaces.made.has('cgroup'))
    stage.call({ what: 'make a new cgroup namespace', why: 'its own group is the root that it sees' }, 'unshare', [
      named(CLONE_NEWCGROUP, 'CLONE_NEWCGROUP'),
    ])
}

/** Without a cgroup namespace, version 1's groups of its own are trees of the host. */
export const planGroupSources = (
  context: OciContext,
  mounts: readonly ReadMount[],
  directories: readonly GroupDirectory[],
): ReadonlyMap<string, Register> => {
  const taken = new Map<string, Register>()
  if (context.has('cgroup') || mounts.every(({ kind }) => kind !== 'cgroup')) return taken
  for (const { hierarchy, directory } of directories)
    if (hierarchy.version === 1) taken.set(hierarchy.name, sourceTree(context, directory, false))
  return taken
}

/** The options by which version 1 mounts a hierarchy again. */
const hierarchyOptions = ({ controllers }: CgroupHierarchy): readonly (readonly [string, string | undefined])[] =>
  controllers.map((name) =>
    name.startsWith('name=') ? (['name', name.slice(5)] as const) : ([name, undefined] as const),
  )

/** The name of a hierarchy's directory: `cpu,cpuacct`; `systemd` for `name=systemd`. */
const directoryName = ({ name }: CgroupHierarchy): string => name.replace(/^name=/, '')

/** A mount of type `cgroup`: the container's own groups, in the layout that the host has. */
export const planGroupMount = (
  context: OciContext,
  root: Register,
  { target, options }: ReadMount,
  sources: ReadonlyMap<string, Register>,
): void => {
  const { stage, host } = context
  stage.mechanism('cgroups')
  const attributes = options.attributes.set
  if (host.cgroups?.kind === 'v2') {
    const unified = makeFilesystem(context, 'cgroup2', 'make a view of its group', '', attributes, [
      ['source', 'cgroup'],
    ])
    attachAt(context, root, unified, target, 'directory', `mount it at ${target}`)
    stage.release(unified)
    return
  }
  const open = attributes & ~MOUNT_ATTR_RDONLY
  const directory = makeFilesystem(context, 'tmpfs', 'make a directory for its groups', '', open, [['mode', '755']])
  attachAt(context, root, directory, target, 'directory', `mount it at ${target}`)
  for (const hierarchy of host.cgroups?.hierarchies ?? []) {
    if (hierarchy.version !== 1) continue
    const taken = sources.get(hierarchy.name)
    if (taken === undefined && !context.has('cgroup')) continue
    const what = `make a view of its group (${hierarchy.name})`
    const view = taken ?? makeFilesystem(context, 'cgroup', what, '', attributes, hierarchyOptions(hierarchy))
    if (taken !== undefined && attributes !== 0)
      setAttributes(context, view, { set: attributes, recursive: false }, `restrict it (${hierarchy.name})`)
    const name = directoryName(hierarchy)
    makeEntry(context, directory, { kind: 'directory', path: name, mode: 0o755 })
    attachBelow(context, view, directory, name, `mount it at ${target}/${name}`)
    stage.release(view)
    if (name.includes(','))
      for (const alias of name.split(',')) makeEntry(context, directory, { kind: 'link', path: alias, target: name })
  }
  if (attributes & MOUNT_ATTR_RDONLY)
    setAttributes(context, directory, { set: attributes, recursive: false }, 'make the directory read-only')
  stage.release(directory)
}
