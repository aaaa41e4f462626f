import { createReadStream, fstatSync, lstatSync, openSync, closeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { addAbortSignal, Readable } from 'node:stream'
import { InputError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import { decompress, decompressAny } from '../image/compression.ts'
import { verified } from '../image/layout/digest.ts'
import { findImage, openBlob } from '../image/layout/image.ts'
import type { LayoutSource } from '../image/layout/source.ts'
import { archiveLayout, directoryLayout } from '../image/layout/source.ts'
import type { ByteSource } from '../image/tar/byte-reader.ts'
import { Losses } from '../rootfs/build/attributes.ts'
import { checkOptions } from './check-options.ts'
import { reported } from './copy-progress.ts'
import type { CopyProgress } from './export-options.ts'
import { placeSystem } from './system-place.ts'
import type { TreeWorkOptions } from './tree-work.ts'
import { finishWork, workOnTree } from './tree-worker.ts'
import { zstd } from './zstd.ts'

export interface ImportOptions {
  /** Where the system is to be: a directory that is empty, or not there. */
  readonly output: string
  /** Device nodes are made, which takes root; containers have their own /dev and need none. Default false. */
  readonly devices?: boolean | undefined
  /** Gives up, and leaves nothing. */
  readonly signal?: AbortSignal | undefined
  /** Is told how far it is, some times a second at most. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined
}

const IMPORT_OPTIONS: readonly (keyof ImportOptions)[] = ['output', 'devices', 'signal', 'onProgress']

/** A system that has come from elsewhere. */
export interface ImportedSystem {
  /** Absolute. */
  readonly path: string
  /** Of the manifest of the image; undefined for an archive. */
  readonly digest: string | undefined
  /** How many layers it had; 1 for an archive. */
  readonly layers: number
  /** What was left out: sentences. */
  readonly warnings: readonly string[]
}

/** An image is told from a file by what skopeo calls it. */
const IMAGE = /^(oci|oci-archive):(.*)$/s

/** `PATH[:TAG]`. A colon within the path is one before a slash, or what is there under the whole of it. */
const splitTag = (text: string): readonly [path: string, tag: string | undefined] => {
  const colon = text.lastIndexOf(':')
  if (colon <= text.lastIndexOf('/') || lstatSync(text, { throwIfNoEntry: false }) !== undefined)
    return [text, undefined]
  return [text.slice(0, colon), text.slice(colon + 1)]
}

const openLayout = async (kind: string, path: string): Promise<LayoutSource> => {
  const status = lstatSync(path, { throwIfNoEntry: false })
  const operation = `use ${path} as an image layout`
  if (status === undefined) throw new InputError({ operation, reason: 'it does not exist' })
  if (kind === 'oci' && !status.isFile()) return directoryLayout(resolve(path))
  if (status.isFile()) return archiveLayout(resolve(path))
  throw new InputError({ operation, reason: 'it is no regular file', hint: `A directory is written oci:${path}.` })
}

interface Filling extends TreeWorkOptions {
  readonly devices: boolean
  readonly onProgress: ImportOptions['onProgress']
}

const unpack = async (tree: string, archive: ByteSource, layer: boolean, filling: Filling): Promise<void> => {
  const { devices, onProgress } = filling
  const input = reported(archive, onProgress)
  await finishWork(workOnTree({ kind: 'unpack', directory: tree, devices, layer }, undefined, input, filling))
}

type Filled = Pick<ImportedSystem, 'digest' | 'layers'>

/** Every layer is held against its digest before it is used, and as it is used against that of its archive. */
const fillFromImage = async (
  layout: LayoutSource,
  tag: string | undefined,
  tree: string,
  filling: Filling,
): Promise<Filled> => {
  const { digest, layers } = await findImage(layout, tag)
  for (const { descriptor } of layers)
    for await (const _ of openBlob(layout, descriptor, 'layer')) filling.signal?.throwIfAborted()
  for (const { descriptor, compression, diffId } of layers) {
    const archive = decompress(openBlob(layout, descriptor, 'layer'), compression, zstd)
    await unpack(tree, verified(archive, { digest: diffId }, 'the archive of the layer'), true, filling)
  }
  return { digest, layers: layers.length }
}

const openFile = (path: string): Readable => {
  try {
    const fd = openSync(path, 'r')
    if (!fstatSync(fd).isDirectory()) return createReadStream(path, { fd, highWaterMark: 256 << 10 })
    closeSync(fd)
  } catch (error) {
    throw fromNodeError(error, 'read', path)
  }
  throw new InputError({
    operation: 'read',
    target: path,
    reason: 'it is a directory',
    hint: `An image layout is written oci:${path}.`,
  })
}

/** What has been unpacked was to be a system. */
const refuseLayout = (tree: string, source: string | ByteSource): void => {
  if (lstatSync(join(tree, 'oci-layout'), { throwIfNoEntry: false })?.isFile() !== true) return
  throw new InputError({
    operation: `use ${typeof source === 'string' ? source : 'the archive'} as a system`,
    reason: 'it is an image layout in an archive',
    hint: `That is written oci-archive:${typeof source === 'string' ? source : 'FILE'}.`,
  })
}

/**
 * Makes a system of an archive, or of an image: a file's path, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, or the bytes of an
 * archive. Archives may be compressed by gzip or zstd(1). Owners are those that the archive names, as root of the system sees
 * them. It is made beside its place and put there at the end, so there is all of it or nothing.
 *
 * Throws {@link InputError} where something is there already, {@link TareError} where a path in it leads out or it is damaged
 * (`ERR_TARE_ARCHIVE`), and where something isn't what its digest says (`ERR_TARE_DIGEST`).
 *
 * @example
 * ```ts
 * await importSystem('box.tar.gz', { output: 'box' })
 * await importSystem('oci:debian.oci:12', { output: 'debian' })
 * ```
 */
export const importSystem = async (source: string | ByteSource, options: ImportOptions): Promise<ImportedSystem> => {
  checkOptions(options, IMPORT_OPTIONS)
  const { output, devices = false, signal, onProgress } = options
  const left = new Losses()
  const filling: Filling = { devices, signal, onProgress, onLeftOut: (what, path) => left.note(what, path) }
  const [, kind, name = ''] = typeof source === 'string' ? (IMAGE.exec(source) ?? []) : []
  const fillFromArchive = async (tree: string, bytes: ByteSource): Promise<Filled> => {
    // Whoever is to write to it may never do so: waiting for that must end, too.
    if (signal !== undefined && bytes instanceof Readable) addAbortSignal(signal, bytes)
    await unpack(tree, decompressAny(bytes, zstd), false, filling)
    refuseLayout(tree, source)
    return { digest: undefined, layers: 1 }
  }
  const fill = async (tree: string): Promise<Filled> => {
    if (typeof source !== 'string') return fillFromArchive(tree, source)
    if (kind === undefined) {
      const file = openFile(source)
      try {
        return await fillFromArchive(tree, file)
      } finally {
        // What is refused by its first bytes isn't read to its end, where it would be closed.
        file.destroy()
      }
    }
    const [path, tag] = splitTag(name)
    const layout = await openLayout(kind, path)
    try {
      return await fillFromImage(layout, tag, tree, filling)
    } finally {
      layout.close()
    }
  }
  try {
    const { path, made } = await placeSystem(output, fill)
    return { path, ...made, warnings: left.sentences }
  } catch (error) {
    // A stream that was given up says so in its own way.
    signal?.throwIfAborted()
    throw error
  }
}
