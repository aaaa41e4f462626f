/** Where a start is made to fail, so that tests can see what is left behind. */
export type Fault =
  /**
   * Step `index` of the stage's, or of Tare's own steps before (`prepare`) or after (`grant`) the clone, fails; or the one
   * that the process takes before it is the stage (`unshare`).
   */
  | { readonly kind: 'fail'; readonly phase: Phase; readonly index: number; readonly errno: number }
  /** The process waits at step `index` of the stage, or before it becomes the stage, to be killed. */
  | { readonly kind: 'kill'; readonly phase: 'stage' | 'unshare'; readonly index: number }

export type Phase = 'prepare' | 'grant' | 'unshare' | 'stage'
