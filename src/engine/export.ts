import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import type { Compression } from '../image/compression.ts'
import { compress } from '../image/compression.ts'
import { Meter } from '../image/layout/digest.ts'
import { CONFIG, layerType, MANIFEST, ociArchitecture, REF_NAME } from '../image/layout/types.ts'
import { LayoutWriter } from '../image/layout/writer.ts'
import type { ByteSource } from '../image/tar/byte-reader.ts'
import { packTree } from '../image/tree/pack.ts'
import { Losses } from '../rootfs/build/attributes.ts'
import { findInit } from '../rootfs/init.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import { checkOptions } from './check-options.ts'
import type { ExportFormat, ExportOptions } from './export-options.ts'
import { COMPRESSIONS, EXPORT_FORMATS, EXPORT_OPTIONS } from './export-options.ts'
import { reported } from './copy-progress.ts'
import { openHeldSystem, withHeldSystem } from './held-system.ts'
import { replaceFile } from './replace-file.ts'
import { placeSystem } from './system-place.ts'
import type { TreeWorkOptions } from './tree-work.ts'
import { workOnTree } from './tree-worker.ts'
import { zstd } from './zstd.ts'

/** A system that has been written elsewhere. */
export interface ExportedSystem {
  /** Absolute. */
  readonly path: string
  readonly format: ExportFormat
  readonly compression: Compression
  /** Bytes of what was written: the file, or the image's layer. */
  readonly size: number
  /** Of the manifest of the image; undefined for an archive. */
  readonly digest: string | undefined
  /** What was left out: sentences. */
  readonly warnings: readonly string[]
}

const compressionOf = ({ compression, output, format = 'tar' }: ExportOptions): Compression => {
  if (compression !== undefined) return compression
  if (format !== 'tar') return 'gzip'
  if (/\.(?:gz|tgz)$/.test(output)) return 'gzip'
  return /\.(?:zst|tzst)$/.test(output) ? 'zstd' : 'none'
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

const check = (options: ExportOptions): void => {
  checkOptions(options, EXPORT_OPTIONS)
  const { format = 'tar', compression = 'none', tag, output } = options
  const words = [
    ['format', format, EXPORT_FORMATS],
    ['compression', compression, COMPRESSIONS],
  ] as const
  for (const [what, word, known] of words)
    if (!known.some((each) => each === word))
      throw new InputError({
        operation: `use ${what}`,
        target: JSON.stringify(word),
        reason: `it is ${known.join(', ')}`,
      })
  if (output === '') throw new InputError({ operation: 'export to', target: '""', reason: 'that is no path' })
  if (tag === undefined) return
  if (format === 'tar')
    throw new InputError({
      operation: 'use tag',
      target: tag,
      reason: 'an archive has no name in it',
      hint: 'Images have: format oci.',
    })
  if (!TAG.test(tag))
    throw new InputError({
      operation: 'use tag',
      target: JSON.stringify(tag),
      reason: 'it is no tag',
      hint: 'It is made of letters, digits, and _ . - within: at most 128.',
    })
}

/** The archive of a system: what its root sees, with numeric owners. */
const archiveOf = (tree: SystemTree, work: TreeWorkOptions): ByteSource =>
  workOnTree({ kind: 'pack', directory: tree.path }, tree, undefined, work)

/** What an engine is to start: the system's own init, where it has one. */
const programOf = (tree: SystemTree): Readonly<Record<string, unknown>> => {
  try {
    const { path, kind } = findInit(tree, undefined)
    return { Cmd: [path], ...(kind === 'systemd' ? { StopSignal: 'SIGRTMIN+3' } : {}) }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    return { Cmd: ['/bin/sh'] }
  }
}

interface Writing {
  readonly compression: Compression
  readonly tag: string
  readonly work: TreeWorkOptions
  readonly onProgress: ExportOptions['onProgress']
}

interface Written {
  readonly size: number
  readonly digest: string | undefined
}

/** Writes a system as an image of one layer (image-spec). */
const writeLayout = async (
  tree: SystemTree,
  directory: string,
  { compression, tag, work, onProgress }: Writing,
): Promise<Written> => {
  const layout = new LayoutWriter(directory)
  const plain = new Meter()
  const archive = plain.pass(reported(archiveOf(tree, work), onProgress))
  const layer = await layout.add(compress(archive, compression, zstd), layerType(compression))
  const created = new Date().toISOString()
  const config = layout.addJson(
    {
      created,
      architecture: ociArchitecture(),
      os: 'linux',
      config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], ...programOf(tree) },
      rootfs: { type: 'layers', diff_ids: [plain.digest] },
      history: [{ created, created_by: 'tare export' }],
    },
    CONFIG,
  )
  const manifest = layout.addJson(
    {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config,
      layers: [layer],
      annotations: { 'org.opencontainers.image.created': created },
    },
    MANIFEST,
  )
  const platform = { architecture: ociArchitecture(), os: 'linux' }
  layout.finish([{ ...manifest, platform, annotations: { [REF_NAME]: tag } }])
  return { size: layer.size, digest: manifest.digest }
}

/** How an archive is written for wherever it is to go. */
export interface ArchiveOptions extends Pick<ExportOptions, 'compression' | 'signal' | 'onProgress'> {
  /** Told of each thing that has no place in an archive: what, and its path. */
  readonly onLeftOut?: ((what: string, path: string) => void) | undefined
}

/**
 * The archive of a system, as it is made: PAX (pax(1)), with the numeric owners that root of the system sees, hard links,
 * extended attributes and nanoseconds. Throws {@link InputError} for what is no system, and for one that is running.
 */
export async function* exportArchive(
  directory: string,
  { compression = 'none', signal, onProgress, onLeftOut = () => undefined }: ArchiveOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { tree, release } = openHeldSystem(directory)
  try {
    yield* compress(reported(archiveOf(tree, { signal, onLeftOut }), onProgress), compression, zstd)
  } finally {
    release()
  }
}

const exportImage = async (
  directory: string,
  options: ExportOptions,
  left: Losses,
): Promise<Written & { readonly path: string }> => {
  const { output, format, tag = 'latest', signal, onProgress } = options
  return withHeldSystem(directory, async (tree) => {
    const writing = {
      compression: compressionOf(options),
      tag,
      work: { signal, onLeftOut: (what: string, path: string): void => left.note(what, path) },
      onProgress,
    }
    if (format === 'oci') {
      // Whatever is in a system, its shadow file among it, is nobody else's to read.
      const { path, made } = await placeSystem(output, (layout) => writeLayout(tree, layout, writing), 0o700)
      return { path, ...made }
    }
    return writeArchived(tree, resolve(output), writing)
  })
}

/** A layout is made beside the file first: its index, which comes last, is read before all else. */
const writeArchived = async (
  tree: SystemTree,
  path: string,
  writing: Writing,
): Promise<Written & { readonly path: string }> => {
  const directory = makeBeside(path)
  try {
    const written = await writeLayout(tree, directory, writing)
    const fd = openSync(directory, 'r')
    try {
      await replaceFile(path, packTree(fd, { signal: writing.work.signal }))
    } finally {
      closeSync(fd)
    }
    return { path, ...written }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const makeBeside = (path: string): string => {
  try {
    return mkdtempSync(join(dirname(path), `.${basename(path)}.tare-`))
  } catch (error) {
    throw fromNodeError(error, 'write', path)
  }
}

/**
 * Writes a system to a file, as an archive, or as an OCI image that other programs read: what it is made of then is there
 * as a whole or not at all. Throws {@link InputError} for bad options, for what is no system and for one that is running,
 * {@link TareError} where something can't be read or written.
 *
 * @example
 * ```ts
 * await exportSystem('./box', { output: 'box.tar.zst' })
 * await exportSystem('./box', { output: 'box.oci', format: 'oci', tag: '12' })
 * ```
 */
export const exportSystem = async (directory: string, options: ExportOptions): Promise<ExportedSystem> => {
  check(options)
  const { format = 'tar', signal, onProgress } = options
  const compression = compressionOf(options)
  const left = new Losses()
  const onLeftOut = (what: string, path: string): void => left.note(what, path)
  if (format !== 'tar') {
    const written = await exportImage(directory, options, left)
    return { ...written, format, compression, warnings: left.sentences }
  }
  const path = resolve(options.output)
  const meter = new Meter()
  await replaceFile(path, meter.pass(exportArchive(directory, { compression, signal, onProgress, onLeftOut })))
  return { path, format, compression, size: meter.size, digest: undefined, warnings: left.sentences }
}
