import { Buffer } from 'node:buffer'
import { ARCHITECTURE } from '../linux/syscall.ts'
import { StepBuilder } from '../plan/builder.ts'
import { DataBuilder } from '../plan/data.ts'
import { PlanPrefix } from '../plan/encode.ts'
import type { ContainerPlan } from './plan/container-plan.ts'
import type { PlanHost } from './plan/context.ts'
import { planExecution } from './plan/program.ts'
import { idText } from './plan/user-namespace.ts'
import { planUpToProgram } from './plan.ts'
import type { ContainerSpec, UserNamespace } from './spec.ts'

/** What one container has and the next, otherwise alike, has not. */
export interface Particulars {
  readonly args: readonly string[]
  readonly argv0: string | undefined
  readonly env: readonly string[]
  /** As long as that of the template. */
  readonly hostname: string
  /** The first id of its range on the host, where the template has a range. */
  readonly firstId: number | undefined
  readonly cgroupName: string | undefined
}

const placesOf = (data: DataBuilder, text: string): readonly number[] => {
  const bytes = Buffer.from(data.bytes)
  const places: number[] = []
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at)
  return places
}

const write = (data: DataBuilder, places: readonly number[], text: string): void => {
  for (const place of places)
    for (let index = 0; index < text.length; index++) data.bytes[place + index] = text.charCodeAt(index)
}

/** The one range of host ids that root's containers get: its first id. */
const firstIdOf = (userNamespace: UserNamespace): number | undefined =>
  userNamespace.kind === 'mapped' && userNamespace.uids.length === 1 ? userNamespace.uids[0]?.outside : undefined

/**
 * A plan for containers that differ in little: program, host name, range of ids, control group. Planning one takes
 * twenty times as long as filling these in.
 */
export class PlanTemplate {
  readonly #plan: ContainerPlan
  readonly #prefix: PlanPrefix
  readonly #firstId: number | undefined
  readonly #hostnames: readonly number[]
  readonly #ids: readonly number[]
  readonly #promisedIds: readonly number[]

  /** The host name and the range of ids must be such as stand nowhere else in the plan. */
  constructor(spec: ContainerSpec, host: PlanHost) {
    const { plan } = planUpToProgram(spec, host)
    this.#plan = plan
    this.#prefix = new PlanPrefix(plan.stage, plan.data, ARCHITECTURE)
    this.#firstId = firstIdOf(spec.userNamespace)
    this.#hostnames = placesOf(plan.data, spec.hostname)
    this.#ids = this.#firstId === undefined ? [] : placesOf(plan.ownData, idText(this.#firstId))
    this.#promisedIds = this.#firstId === undefined ? [] : placesOf(plan.data, idText(this.#firstId))
  }

  get spec(): ContainerSpec {
    return this.#plan.spec
  }

  /** The plan of one container. */
  make({ args, argv0, env, hostname, firstId, cgroupName }: Particulars): ContainerPlan {
    const { spec, cgroup } = this.#plan
    const ownData = this.#plan.ownData.copy()
    if (firstId !== undefined) write(ownData, this.#ids, idText(firstId))
    let execution: StepBuilder | undefined
    // Planned when it is asked for: the process makes its namespaces by then.
    const planned = (): StepBuilder => {
      if (execution === undefined) {
        execution = new StepBuilder(new DataBuilder(this.#plan.data.size, 1024), undefined, this.#plan.stage.length)
        planExecution(execution, { args, argv0, env })
      }
      return execution
    }
    const before = this.#plan.stage
    return {
      ...this.#plan,
      get stage() {
        return [...before, ...planned().steps]
      },
      get data() {
        return planned().data
      },
      ownData,
      encode: () => {
        const { steps, data } = planned()
        const patches = [{ offsets: this.#hostnames, text: hostname }]
        if (firstId !== undefined) patches.push({ offsets: this.#promisedIds, text: idText(firstId) })
        return this.#prefix.encode(steps, data, patches)
      },
      cgroup: cgroup === undefined || cgroupName === undefined ? cgroup : { ...cgroup, name: cgroupName },
      spec: {
        ...spec,
        hostname,
        process: { ...spec.process, args, argv0, env },
        userNamespace: this.#userNamespace(spec.userNamespace, firstId),
      },
    }
  }

  #userNamespace(userNamespace: UserNamespace, firstId: number | undefined): UserNamespace {
    if (userNamespace.kind === 'host' || firstId === undefined) return userNamespace
    const range = userNamespace.uids.map(({ inside, size }) => ({ inside, outside: firstId, size }))
    return { ...userNamespace, uids: range, gids: range }
  }
}
