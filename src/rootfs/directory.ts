import type { Rootfs } from './rootfs.ts'

export interface DirectoryRootOptions {
  /** Absolute path on the host. */
  readonly path: string
  /** Whether changes go to a layer of their own. */
  readonly overlay: boolean
  /** The directory in which they are kept; else they are in memory, of at most `size` bytes. */
  readonly kept: string | undefined
  readonly size: number
}

/** A directory of the host as the root: itself, or below a layer that takes the changes. */
export const directoryRoot = ({ path, overlay, kept, size }: DirectoryRootOptions): Rootfs => ({
  root: overlay ? { kind: 'overlay', layers: { lower: [path], kept, size } } : { kind: 'directory', path },
  mounts: [],
})
