/** What an entry of an archive is. */
export type TarType = 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo'

/** A part of a sparse file that is there; between parts it has holes. Bytes. */
export interface TarExtent {
  readonly offset: number
  readonly length: number
}

/**
 * A file in an archive. Names, and what links say, are bytes: each character is one of them (latin1), since the kernel
 * knows no encoding.
 */
export interface TarEntry {
  readonly type: TarType
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes that follow. */
  readonly size: number
  /** Nanoseconds since 1970. */
  readonly modified: bigint
  /** What a symbolic link says; the path in the archive of the file that a hard link is another name of. */
  readonly target: string
  /** Of a device node. */
  readonly major: number
  readonly minor: number
  /** Extended attributes by name. */
  readonly xattrs: ReadonlyMap<string, Uint8Array>
  /** Of a sparse file: the parts that follow, one behind the other, and how large the whole is. */
  readonly sparse?: { readonly extents: readonly TarExtent[]; readonly size: number } | undefined
}

/** What there is room for in a header without PAX (ustar). */
export const TAR_BLOCK = 512
