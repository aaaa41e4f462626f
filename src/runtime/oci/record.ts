import type { Hook } from '../../oci/hooks.ts'
import type { Read } from '../../oci/fields.ts'
import { arrayOf, Fields, integer, mapOf, nonEmpty, string } from '../../oci/fields.ts'
import { readHooks } from '../../oci/hooks.ts'
import { parseJson } from '../../oci/json.ts'

/** A step in words: what a start that fails is told by, when nobody has the plan any more. */
export interface StepWords {
  readonly what: string
  readonly call?: string | undefined
  readonly hints?: Readonly<Record<string, string>> | undefined
}

/** What is known of a container between calls: state.json in its directory. */
export interface ContainerRecord {
  readonly ociVersion: string
  readonly id: string
  readonly bundle: string
  readonly rootfs: string
  /** RFC 3339. */
  readonly created: string
  readonly annotations: Readonly<Record<string, string>>
  /** Its first process, and when that began, in milliseconds since boot; not there as long as none was cloned. */
  readonly pid?: number | undefined
  readonly startTime?: number | undefined
  /** Of each of its control groups the directory, by the hierarchy's name. */
  readonly cgroups: Readonly<Record<string, string>>
  /** The kinds of its namespaces that aren't those of whoever created it, as CLONE_ flags. */
  readonly namespaces: number
  readonly poststart: readonly Hook[]
  readonly poststop: readonly Hook[]
  /** The steps that the stage takes when it is started: the number of the first, and their words. None: it has no program. */
  readonly firstStep: number
  readonly steps: readonly StepWords[]
}

const readStep: Read<StepWords> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    what: fields.required('what', nonEmpty),
    call: fields.optional('call', string),
    hints: fields.optional('hints', mapOf(string)),
  }
}

const count = integer(0, Number.MAX_SAFE_INTEGER)

const readRecord: Read<ContainerRecord> = (value, at) => {
  const fields = new Fields(value, at)
  const hooks = fields.optional('hooks', readHooks)
  return {
    ociVersion: fields.required('ociVersion', nonEmpty),
    id: fields.required('id', nonEmpty),
    bundle: fields.required('bundle', nonEmpty),
    rootfs: fields.required('rootfs', nonEmpty),
    created: fields.required('created', nonEmpty),
    annotations: fields.optional('annotations', mapOf(string)) ?? {},
    pid: fields.optional('pid', count),
    startTime: fields.optional('startTime', count),
    cgroups: fields.optional('cgroups', mapOf(string)) ?? {},
    namespaces: fields.required('namespaces', count),
    poststart: hooks?.poststart ?? [],
    poststop: hooks?.poststop ?? [],
    firstStep: fields.required('firstStep', count),
    steps: fields.required('steps', arrayOf(readStep)),
  }
}

/** Reads the text of state.json. Throws InputError where it is none. */
export const parseRecord = (text: string, name: string): ContainerRecord =>
  readRecord(parseJson(text, name), `${name}:`)

/** The text of state.json. */
export const formatRecord = ({ poststart, poststop, ...record }: ContainerRecord): string =>
  `${JSON.stringify({ ...record, hooks: { poststart, poststop } })}\n`
