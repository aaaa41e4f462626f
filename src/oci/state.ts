import type { Read } from './fields.ts'
import { absolutePath, Fields, integer, mapOf, nonEmpty, oneOf, refuse, string } from './fields.ts'
import { parseJson } from './json.ts'
import { readOciVersion } from './version.ts'

/** `paused` is no word of the specification, but every runtime's. */
export const STATUSES = ['creating', 'created', 'running', 'paused', 'stopped'] as const

export type Status = (typeof STATUSES)[number]

/** The state of a container (runtime-spec, runtime.md, State): what `state` prints and hooks read. */
export interface State {
  readonly ociVersion: string
  readonly id: string
  readonly status: Status
  /** There while it is created or running. */
  readonly pid?: number | undefined
  /** Absolute. */
  readonly bundle: string
  readonly annotations?: Readonly<Record<string, string>> | undefined
}

const readState: Read<State> = (value, at) => {
  const fields = new Fields(value, at)
  const state: State = {
    ociVersion: fields.required('ociVersion', readOciVersion),
    id: fields.required('id', nonEmpty),
    status: fields.required('status', oneOf(STATUSES)),
    pid: fields.optional('pid', integer(0, 2 ** 31 - 1)),
    bundle: fields.required('bundle', absolutePath),
    annotations: fields.optional('annotations', mapOf(string)),
  }
  const alive = state.status === 'created' || state.status === 'running'
  if (alive && (state.pid ?? 0) === 0) refuse(at, `there is no pid, and it is ${state.status}`)
  return state
}

/** Reads the text of a state. Throws InputError at the first fault. */
export const parseState = (text: string, name = 'state.json'): State => readState(parseJson(text, name), `${name}:`)
