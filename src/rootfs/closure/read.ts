import { readdirSync, readFileSync } from 'node:fs'
import { fromNodeError } from '../../linux/proc.ts'
import { isElf } from '../../linux/elf/reader.ts'
import type { ByteSource } from '../../linux/elf/source.ts'
import { withFileSource } from '../../linux/elf/source.ts'
import type { Tree } from './tree.ts'

const HINTS = { EACCES: 'This user may not read it: run as one who may.', EPERM: 'This user may not read it.' }

/** The whole of a file of a tree; undefined where there is none. */
export const readTreeFile = (tree: Tree, path: string): Uint8Array | undefined => {
  const found = tree.findFile(path)
  if (found === undefined) return undefined
  try {
    return readFileSync(found.source)
  } catch (error) {
    throw fromNodeError(error, 'read', found.source, HINTS)
  }
}

/** As {@link readTreeFile}, as text. */
export const readTreeText = (tree: Tree, path: string): string | undefined => {
  const bytes = readTreeFile(tree, path)
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}

/** The names in a directory of the host, sorted. */
export const readNames = (source: string): readonly string[] => {
  try {
    return readdirSync(source).toSorted()
  } catch (error) {
    throw fromNodeError(error, 'list', source, HINTS)
  }
}

/** Reads parts of a file of the host. What `use` itself throws is thrown on. */
export const withBytes = <T>(source: string, use: (bytes: ByteSource) => T): T => {
  try {
    return withFileSource(source, use)
  } catch (error) {
    if (error instanceof Error && 'code' in error && 'path' in error) throw fromNodeError(error, 'read', source, HINTS)
    throw error
  }
}

/** What a file is to the kernel that is to execute it, by its first bytes (execve(2)). */
export type FileForm = 'elf' | 'script' | 'other'

/** How much of a file the kernel looks at to see what it is, in bytes. */
export const HEAD = 256

export const formOf = (head: Uint8Array): FileForm => {
  if (isElf(head)) return 'elf'
  return head[0] === 0x23 && head[1] === 0x21 ? 'script' : 'other'
}
