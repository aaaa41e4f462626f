/** Where a start is made to fail, so that tests can see what is left behind. */
export type Fault =
  /** Step `index` of the stage's, or of Tare's own steps before (`prepare`) or after (`grant`) the clone, fails. */
  | { readonly kind: 'fail'; readonly phase: Phase; readonly index: number; readonly errno: number }
  /** The stage is killed when it has come to step `index`. */
  | { readonly kind: 'kill'; readonly phase: 'stage'; readonly index: number }

export type Phase = 'prepare' | 'grant' | 'stage'
