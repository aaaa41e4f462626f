/** A tree of the caller's that is mounted in the new root. */
export interface PivotBind {
  readonly source: string
  /** Absolute, in the new root; it must be there, a directory for a directory. */
  readonly target: string
  readonly readOnly: boolean
}

/** Another root by pivot_root(2), in a mount namespace of its own: of the caller's root nothing is left but what is bound. */
export interface PivotSpec {
  readonly root: string
  readonly binds: readonly PivotBind[]
  /** Paths of devices of the caller's that a new /dev has; undefined: /dev is as it is in the root. */
  readonly devices: readonly string[] | undefined
}
