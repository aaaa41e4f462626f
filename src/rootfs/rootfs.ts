import type { Mount, Root } from '../runtime/spec.ts'

/** What a container finds before its caller's own mounts. */
export interface Rootfs {
  readonly root: Root
  readonly mounts: readonly Mount[]
}
