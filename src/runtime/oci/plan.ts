import { CLONE_NEWPID } from '../../linux/namespace.ts'
import type { NamespaceKind } from '../../linux/namespace.ts'
import type { DataBuilder } from '../../plan/data.ts'
import type { Register, Step } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import type { PlanHost } from '../plan/context.ts'
import { CWD } from '../plan/context.ts'
import { planMeeting, planUserNamespace } from '../plan/user-namespace.ts'
import type { ProcessSpec, UserNamespace } from '../spec.ts'
import type { Unshare } from '../stage.ts'
import type { GroupDirectory, PlannedGroups } from './cgroups.ts'
import { planGroupMount, planGroups, planGroupSources, planGroupsJoin } from './cgroups.ts'
import { planConsole } from './console.ts'
import { planContainerHooks } from './container-hooks.ts'
import { OciContext } from './context.ts'
import { planDevices, planDeviceSources } from './devices.ts'
import { planKernelSettings } from './kernel-settings.ts'
import { planProtection } from './masks.ts'
import type { ReadMount } from './mounts.ts'
import { planMount, planSources, readMounts } from './mounts.ts'
import { joinedByBirth } from './asked-namespaces.ts'
import { planContainerNamespaces } from './namespaces.ts'
import { planBundleProgram, planSync } from './program.ts'
import type { BundleRequest } from './request.ts'
import { planBundlePivot, planBundleRoot, planFollowHost } from './root.ts'
import { openTarget } from './targets.ts'

/** All that the start of a bundle's container consists of. */
export interface BundlePlan {
  readonly prepare: readonly Step[]
  /** Namespaces of others that Tare is in while it clones, by their files. */
  readonly byBirth: readonly (readonly [NamespaceKind, string])[]
  /** Namespaces that the clone makes. */
  readonly cloneFlags: number
  readonly grant: readonly Step[]
  readonly unshare: Unshare | undefined
  readonly stage: readonly Step[]
  readonly ownData: DataBuilder
  readonly data: DataBuilder
  /** Tare's registers of the descriptors that the stage inherits behind those that have a number of their own. */
  readonly inherited: readonly Register[]
  readonly handed: readonly Register[]
  readonly userNamespace: UserNamespace
  readonly groups: PlannedGroups
  /** Registers for what Tare opens itself. */
  readonly registers: {
    readonly report: Register
    readonly preserved: readonly Register[]
    /** The state that hooks read, while it is being created and when it is started. */
    readonly creatingState: Register
    readonly startState: Register
    readonly console: Register
  }
  /** Whether the stage waits before it enters its root, for hooks that Tare runs. */
  readonly syncs: boolean
  /** The first step that is taken only when the container is started. */
  readonly afterWait: number
}

/** Mounts of groups come last, when the container is in them, unless that would cover or be covered by another. */
const inOrder = (mounts: readonly ReadMount[]): readonly ReadMount[] => {
  const groups = mounts.filter(({ kind }) => kind === 'cgroup')
  const touches = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`)
  const early = groups.some((group) =>
    mounts.slice(mounts.indexOf(group) + 1).some((other) => touches(other.target, group.target)),
  )
  return early ? mounts : [...mounts.filter(({ kind }) => kind !== 'cgroup'), ...groups]
}

const planOomScore = (context: OciContext, score: number | undefined): void => {
  if (score === undefined) return
  const { grant, ownData } = context
  const words = {
    what: `set the oom score adjustment to ${score}`,
    hints: { EACCES: 'To lower it takes CAP_SYS_RESOURCE.' },
  }
  const fd = grant
    .mechanism('process')
    .callFor('oom_score_adj fd', words, 'openat', [
      CWD,
      { kind: 'template', text: '/proc/{pid}/oom_score_adj' },
      named(0o2000001, 'O_WRONLY|O_CLOEXEC'),
      0,
    ])
  const bytes = new TextEncoder().encode(String(score))
  grant.call(words, 'write', [fd, ownData.add(bytes, String(score)), bytes.length])
}

/** What starts the container of a bundle, step by step. Pure. `groups`: its control groups, which are there by then. */
export const planBundle = (
  request: BundleRequest,
  process: ProcessSpec,
  host: PlanHost,
  groups: readonly GroupDirectory[],
): BundlePlan => {
  const context = new OciContext(request, process, host)
  const { stage, prepare, namespaces, oci } = context
  const creatingState = prepare.pinnedRegister('state fd')
  const console = prepare.pinnedRegister('console fd')
  const cloneFlags = (namespaces.made.has('pid') ? CLONE_NEWPID : 0) | planUserNamespace(context)
  planOomScore(context, oci.process?.oomScoreAdj)
  const plannedGroups = planGroups(context, groups)
  const unshare = planContainerNamespaces(context)
  planFollowHost(context)
  const mounts = inOrder(readMounts(oci.mounts))
  const sources = planSources(context, mounts)
  const groupSources = planGroupSources(context, mounts, groups)
  const devices = planDeviceSources(context, mounts)
  const root = planBundleRoot(context)
  let joined = false
  const join = (): void => {
    if (!joined) planGroupsJoin(context, plannedGroups)
    joined = true
  }
  for (const mount of mounts) {
    if (mount.kind !== 'cgroup') planMount(context, root, mount, sources)
    else {
      join()
      planGroupMount(context, root, mount, groupSources)
    }
  }
  planDevices(context, root, devices)
  if (process.terminal) planConsole(context, root, console)
  stage.mechanism('chroot')
  stage.release(openTarget(context, root, process.cwd, 'directory'))
  const { prestart = [], createRuntime = [], createContainer = [] } = oci.hooks ?? {}
  const syncs = prestart.length + createRuntime.length > 0
  if (syncs)
    planSync(context, 'ask for the hooks that the host runs', 'they find the root with its mounts, and no program yet')
  if (createContainer.length > 0)
    planContainerHooks(context, 'createContainer', createContainer, context.inherit(creatingState))
  planKernelSettings(context)
  planProtection(context, root)
  planBundlePivot(context, root)
  join()
  const afterWait = planBundleProgram(context)
  const before = stage.steps.length
  planMeeting(context)
  return {
    prepare: prepare.steps,
    byBirth: joinedByBirth(namespaces, host.uid),
    cloneFlags,
    grant: context.grant.steps,
    unshare,
    stage: stage.steps,
    ownData: context.ownData,
    data: context.data,
    inherited: context.inherited,
    handed: context.handed.map(({ register }) => register),
    userNamespace: context.spec.userNamespace,
    groups: plannedGroups,
    registers: {
      report: context.reportRegister,
      preserved: context.preservedRegisters,
      creatingState,
      startState: context.startStateRegister,
      console,
    },
    syncs,
    afterWait: afterWait + stage.steps.length - before,
  }
}
