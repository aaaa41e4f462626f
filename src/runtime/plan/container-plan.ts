import type { DataBuilder } from '../../plan/data.ts'
import type { Register, Step } from '../../plan/step.ts'
import type { ContainerSpec } from '../spec.ts'
import type { PlannedCgroup } from './cgroups.ts'

/** A finished plan: all that a container's start consists of, and nothing done yet. */
export interface ContainerPlan {
  readonly prepare: readonly Step[]
  /** Namespaces that the clone itself makes, as CLONE_ flags. */
  readonly cloneFlags: number
  readonly grant: readonly Step[]
  readonly stage: readonly Step[]
  readonly ownData: DataBuilder
  readonly data: DataBuilder
  /** The first of the stage's steps in their encoded form, if that is there already. */
  readonly encoded: Uint8Array | undefined
  readonly inherited: readonly Register[]
  readonly handed: readonly Register[]
  /** Id maps that newuidmap(1) and newgidmap(1) have to write. */
  readonly mappingHelpers: boolean
  readonly cgroup: PlannedCgroup | undefined
  readonly spec: ContainerSpec
}
