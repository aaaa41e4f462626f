import type { CgroupHierarchy } from '../../linux/cgroup/layout.ts'
import { requireHierarchy } from '../../linux/cgroup/layout.ts'
import type { CgroupWrite } from '../../linux/cgroup/write.ts'
import { cgroupWrites } from '../../linux/cgroup/writes.ts'
import { InputError } from '../../linux/error.ts'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from '../../linux/mount-flags.ts'
import { CLONE_NEWCGROUP } from '../../linux/namespace.ts'
import type { Named, Register } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { CgroupSpec } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { makeEntry } from './entries.ts'
import { attachBelow, makeFilesystem, setAttributes } from './mounts.ts'

const HARMLESS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
const READ_ONLY = HARMLESS | MOUNT_ATTR_RDONLY

/** A group's place in one hierarchy. */
export interface PlannedMembership {
  readonly hierarchy: CgroupHierarchy
  /** Tare's register of the open file, or on version 2 the open directory, by which the stage gets into the group. */
  readonly register: Register
  /** The number of that descriptor in the stage; undefined where the stage is born in the group. */
  readonly join: Named | undefined
}

/** The control groups of a container in the making. */
export interface PlannedCgroup extends CgroupSpec {
  readonly writes: readonly CgroupWrite[]
  readonly memberships: readonly PlannedMembership[]
}

/**
 * Which groups are made, and how the container gets into them. Throws if this host can't set a limit.
 *
 * On version 2 the stage is cloned into the group (CLONE_INTO_CGROUP, clone(2)). On version 1 it writes 0 to the file
 * `tasks`: that moves the calling thread alone, and unlike `cgroup.procs` waits for no lock that all forks take.
 */
export const planCgroup = (context: PlanContext): PlannedCgroup | undefined => {
  const { spec, host, prepare } = context
  if (spec.cgroup === undefined) return undefined
  if (host.cgroups === undefined)
    throw new InputError({
      operation: 'set a limit',
      reason: 'no cgroup hierarchy is mounted',
      hint: 'Leave the limits out.',
    })
  const layout = host.cgroups
  const writes = cgroupWrites(layout, spec.cgroup.limits)
  const hierarchies = new Set(writes.map(({ controller, what }) => requireHierarchy(layout, controller, what)))
  const delegated = spec.cgroup.delegated !== undefined
  if (delegated) hierarchies.add(requireHierarchy(layout, 'unified', 'give a container its own groups'))
  const memberships = [...hierarchies].map((hierarchy): PlannedMembership => {
    const register = prepare.register(`cgroup ${hierarchy.name} fd`)
    return {
      hierarchy,
      register,
      // Who waits outside as PID 1 would be born in it too, and in a group with processes no groups get controllers.
      join: hierarchy.version === 2 && layout.kind === 'v2' && !delegated ? undefined : context.inherit(register),
    }
  })
  return { ...spec.cgroup, writes, memberships }
}

/** Joins the groups, late: what the setup itself uses is not the container's. Then makes them the root of its view. */
export const planCgroupJoin = (context: PlanContext, cgroup: PlannedCgroup | undefined, sys: Register): void => {
  const { stage } = context
  stage.mechanism('cgroups')
  for (const { hierarchy, join } of cgroup?.memberships ?? []) {
    if (join === undefined) continue
    stage.call(
      { what: `join the cgroup in the hierarchy ${hierarchy.name}`, why: 'its limits hold from here on' },
      'write',
      [join, context.string('0'), 1],
    )
  }
  stage.call({ what: 'make a new cgroup namespace', why: 'its own group is the root that it sees' }, 'unshare', [
    named(CLONE_NEWCGROUP, 'CLONE_NEWCGROUP'),
  ])
  if (cgroup !== undefined) planCgroupFiles(context, cgroup, sys)
}

/** Shows a container its own groups, read-only: language runtimes look there for how much memory they may use. */
const planCgroupFiles = (context: PlanContext, { memberships, delegated }: PlannedCgroup, sys: Register): void => {
  const place = 'fs/cgroup'
  if (delegated !== undefined) {
    const files = makeFilesystem(context, 'cgroup2', 'make a view of its group', 'its own, to make groups in', HARMLESS)
    attachBelow(context, files, sys, place, 'mount it at /sys/fs/cgroup')
    return
  }
  const unified = memberships.find(({ join }) => join === undefined)
  if (unified !== undefined) {
    const files = makeFilesystem(context, 'cgroup2', 'make a view of its group', 'read-only', READ_ONLY)
    attachBelow(context, files, sys, place, 'mount it at /sys/fs/cgroup')
    return
  }
  const directory = makeFilesystem(context, 'tmpfs', 'make a directory for its groups', '', HARMLESS, [['mode', '755']])
  attachBelow(context, directory, sys, place, 'mount it at /sys/fs/cgroup')
  for (const { hierarchy } of memberships) {
    if (hierarchy.version !== 1) continue
    const options = hierarchy.controllers.map((name) => [name, undefined] as const)
    const files = makeFilesystem(
      context,
      'cgroup',
      `make a view of its group (${hierarchy.name})`,
      'read-only',
      READ_ONLY,
      options,
    )
    makeEntry(context, directory, { kind: 'directory', path: hierarchy.name, mode: 0o755 })
    attachBelow(context, files, directory, hierarchy.name, `mount it at /sys/fs/cgroup/${hierarchy.name}`)
    context.stage.release(files)
  }
  setAttributes(context, directory, { set: READ_ONLY, recursive: false }, 'make the directory read-only')
}
