import type { Spec } from '../../oci/spec.ts'

/** What an engine asks for: a bundle, and how its container is to be made. */
export interface BundleRequest {
  readonly id: string
  /** Absolute, without links. */
  readonly bundle: string
  /** The bundle's root file system on the host: absolute, without links. */
  readonly rootfs: string
  readonly spec: Spec
  /** How many descriptors of the caller's, from 3 on, the program gets. */
  readonly preserveFds: number
  /** chroot(2) instead of pivot_root(2): for a root file system that is a ramfs. */
  readonly noPivot: boolean
  /** The program keeps the caller's session keyring. */
  readonly noNewKeyring: boolean
  /** Stop before the program, until something is written to the fifo of `start`. */
  readonly wait: boolean
}
