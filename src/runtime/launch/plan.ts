import type { DataBuilder } from '../../plan/data.ts'
import type { Step } from '../../plan/step.ts'
import { LaunchContext } from './context.ts'
import { planCapabilities, planIds, planLeaveGroups } from './credentials.ts'
import { planEnter, planJoins } from './enter.ts'
import { needsCaller, planIdMaps } from './id-maps.ts'
import { planPivot } from './pivot.ts'
import { planFork, planLaunched } from './program.ts'
import { planDirectories } from './root.ts'
import type { LaunchSpec } from './spec.ts'
import { planKernelMounts, planPropagation, planUnshare } from './unshare.ts'

export interface LaunchPlan {
  readonly spec: LaunchSpec
  readonly stage: readonly Step[]
  readonly data: DataBuilder
  /** Descriptors of Tare's, in the order in which the stage has them. */
  readonly inherited: readonly number[]
  /** Where in the data the program's id is noted, if it is a child of the stage. */
  readonly programId: number | undefined
  /** Whether the stage waits for Tare to write maps and to mount namespaces on files. */
  readonly waits: boolean
}

/**
 * What starts a program of this host with the walls that were asked for, and no others. Pure.
 *
 * Each step takes what the one before left: groups of the host are joined before the namespaces hide them, ids are
 * mapped before anything is done in their name, and the power to do all that goes last.
 */
export const planLaunch = (spec: LaunchSpec): LaunchPlan => {
  const context = new LaunchContext(spec)
  planJoins(context)
  const dropped = planLeaveGroups(context)
  planEnter(context)
  planUnshare(context)
  const programId = planFork(context)
  planIdMaps(context)
  planPropagation(context)
  planPivot(context)
  planDirectories(context)
  planKernelMounts(context)
  planIds(context, dropped)
  planCapabilities(context)
  planLaunched(context)
  return {
    spec,
    stage: context.stage.steps,
    data: context.data,
    inherited: context.inherited,
    programId,
    waits: needsCaller(spec),
  }
}
