import type { DataBuilder } from '../../plan/data.ts'
import type { Register, Step } from '../../plan/step.ts'
import type { ContainerSpec } from '../spec.ts'
import type { Unshare } from '../stage.ts'
import type { PlannedCgroup } from './cgroups.ts'

/** A finished plan: all that a container's start consists of, and nothing done yet. */
export interface ContainerPlan {
  readonly prepare: readonly Step[]
  /** Namespaces that the clone itself makes, as CLONE_ flags. */
  readonly cloneFlags: number
  readonly grant: readonly Step[]
  /** What the process does then, before it is the stage. */
  readonly unshare: Unshare
  readonly stage: readonly Step[]
  readonly ownData: DataBuilder
  readonly data: DataBuilder
  /** The stage's plan in bytes; valid until the next plan is encoded. */
  readonly encode: () => Uint8Array
  readonly inherited: readonly Register[]
  readonly handed: readonly Register[]
  /** Id maps that newuidmap(1) and newgidmap(1) have to write. */
  readonly mappingHelpers: boolean
  readonly cgroup: PlannedCgroup | undefined
  readonly spec: ContainerSpec
}
