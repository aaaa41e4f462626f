import { CLONE_NEWPID } from '../linux/namespace.ts'
import type { StepBuilder } from '../plan/builder.ts'
import { ARCHITECTURE } from '../linux/syscall.ts'
import { encodePlan } from '../plan/encode.ts'
import { named } from '../plan/step.ts'
import { planCgroup, planCgroupJoin } from './plan/cgroups.ts'
import type { ContainerPlan } from './plan/container-plan.ts'
import type { PlanHost } from './plan/context.ts'
import { PlanContext } from './plan/context.ts'
import { planCredentials, planRlimits } from './plan/credentials.ts'
import { planDevices } from './plan/devices.ts'
import { planKernelFiles, planMasks } from './plan/kernel-files.ts'
import { planHostname, planLoopback, planNamespaces } from './plan/namespaces.ts'
import { planDirectory, planExecution, planOuterInit, planProgram, planSeccomp } from './plan/program.ts'
import { planRoot } from './plan/root.ts'
import { planMeeting, planUserNamespace } from './plan/user-namespace.ts'
import { planLayers, planMounts, planReadOnlyRoot, planSysctls } from './plan/volumes.ts'
import { encodePromise, promiseOf } from './promise.ts'
import type { ContainerSpec } from './spec.ts'

const MNT_DETACH = named(2, 'MNT_DETACH')

/** Makes the new root the root, and takes the old one away (pivot_root(2), "pivot_root(".", ".")"). */
const planPivot = (context: PlanContext): void => {
  const { stage } = context
  stage.mechanism('chroot')
  const here = context.string('.')
  const why = 'unlike with chroot(2), root in it finds no way out'
  stage.call({ what: 'make the new root the root', why }, 'pivot_root', [here, here])
  // The old root now lies on the new one, and on it what was stacked there before the new root was: the topmost first.
  for (let below = 1; below <= context.stacked; below++) {
    const words =
      below === context.stacked
        ? { what: 'take the old root away', why: 'nothing of the host is left but what was mounted' }
        : { what: 'take away what lies on the old root' }
    stage.call(words, 'umount2', [here, MNT_DETACH])
  }
}

/** All but the program itself, which is the last that a plan has to know. */
export const planUpToProgram = (spec: ContainerSpec, host: PlanHost): PlanUpToProgram => {
  const context = new PlanContext(spec, host)
  // First, for those who look for it.
  context.data.add(encodePromise(promiseOf(spec)), 'what is promised')
  const cloneFlags = CLONE_NEWPID | planUserNamespace(context)
  const cgroup = planCgroup(context)
  const unshare = planNamespaces(context)
  if (!spec.process.init && spec.process.args.length > 0) planOuterInit(context)
  const layers = planLayers(context)
  const root = planRoot(context, spec.root)
  const files = planKernelFiles(context, root)
  const dev = planDevices(context, root)
  planMounts(context, root, layers, dev)
  planLoopback(context)
  planHostname(context)
  planSysctls(context, files.proc)
  planMasks(context, files, dev)
  planReadOnlyRoot(context, root)
  planPivot(context)
  planCgroupJoin(context, cgroup, files.sys)
  planRlimits(context)
  if (!spec.process.noNewPrivileges) planSeccomp(context)
  planCredentials(context)
  planDirectory(context)
  planProgram(context, spec.process.init)
  planMeeting(context)
  const plan: ContainerPlan = {
    prepare: context.prepare.steps,
    cloneFlags,
    grant: context.grant.steps,
    unshare,
    stage: context.stage.steps,
    ownData: context.ownData,
    data: context.data,
    encode: () => encodePlan(context.stage.steps, context.data, ARCHITECTURE),
    inherited: context.inherited,
    handed: context.handed.map(({ register }) => register),
    mappingHelpers: spec.userNamespace.kind === 'mapped' && spec.userNamespace.helper,
    cgroup,
    spec,
  }
  return { plan, stage: context.stage }
}

export interface PlanUpToProgram {
  readonly plan: ContainerPlan
  /** What the program's own steps are added to. */
  readonly stage: StepBuilder
}

/** What starts a container, step by step. Pure: it needs no privilege and touches nothing. */
export const planContainer = (spec: ContainerSpec, host: PlanHost): ContainerPlan => {
  const { plan, stage } = planUpToProgram(spec, host)
  if (spec.process.args.length > 0) planExecution(stage, spec.process)
  return plan
}
