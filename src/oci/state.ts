/** `paused` is no word of the specification, but every runtime's. */
export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped'

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
