import type { Compression } from '../image/compression.ts'

/** What a system becomes: an archive, an image layout in a directory, or that in an archive (skopeo's oci-archive). */
export type ExportFormat = 'tar' | 'oci' | 'oci-archive'

export const EXPORT_FORMATS: readonly ExportFormat[] = ['tar', 'oci', 'oci-archive']

export const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'zstd']

/** How far something is that goes on for a while. */
export interface CopyProgress {
  /** Bytes of archives, before they are compressed. */
  readonly bytes: number
}

export interface ExportOptions {
  /** Where it is to be: a file that is replaced when all is there, or for `oci` a directory that is not there or empty. */
  readonly output: string
  /** Default `tar`. */
  readonly format?: ExportFormat | undefined
  /** Default: for `tar` by the end of the name (.gz, .tgz, .zst), else none; for images gzip. */
  readonly compression?: Compression | undefined
  /** The name of the image in its layout. Default `latest`. */
  readonly tag?: string | undefined
  /** Gives up, and leaves nothing. */
  readonly signal?: AbortSignal | undefined
  /** Is told how far it is, some times a second at most. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined
}

export const EXPORT_OPTIONS: readonly (keyof ExportOptions)[] = [
  'output',
  'format',
  'compression',
  'tag',
  'signal',
  'onProgress',
]
