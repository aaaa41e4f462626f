import { InputError, TareError } from '../../linux/error.ts'
import type { Compression } from '../compression.ts'
import type { ByteSource } from '../tar/byte-reader.ts'
import type { Digest } from './digest.ts'
import { verified } from './digest.ts'
import type { LayoutSource } from './source.ts'
import type { Descriptor, ImageConfig, Index, Manifest } from './types.ts'
import {
  isIndex,
  isManifest,
  layerCompression,
  ociArchitecture,
  readConfig,
  readIndex,
  readManifest,
  REF_NAME,
} from './types.ts'

/** Bytes of a document; those of real images have some kilobytes. */
const LARGEST = 8 << 20
/** How many indexes may lie in each other. */
const DEEPEST = 4

/** A layer of an image, the lowest first. */
export interface ImageLayer {
  readonly descriptor: Descriptor
  readonly compression: Compression
  /** The digest of the archive before it was compressed. */
  readonly diffId: Digest
}

export interface Image {
  readonly digest: Digest
  readonly config: ImageConfig
  readonly layers: readonly ImageLayer[]
}

const bytesOf = async (source: ByteSource, name: string): Promise<Buffer> => {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of source) {
    size += piece.length
    if (size > LARGEST)
      throw new InputError({ operation: 'use', target: name, reason: `it is larger than ${LARGEST >> 20} MiB` })
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

const parse = (bytes: Buffer, name: string): unknown => {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw new InputError({ operation: 'use', target: name, reason: 'it is no JSON', cause: error })
  }
}

/** A file that a layout must have. */
const required = (layout: LayoutSource, path: string): ByteSource => {
  const source = layout.open(path)
  if (source !== undefined) return source
  throw new InputError({
    operation: `use ${layout.name} as an image layout`,
    reason: `it has no ${path}`,
    hint: 'An image layout has oci-layout, index.json and blobs/sha256 in it.',
  })
}

/** Content by its descriptor, which is held against it as it is read. */
export const openBlob = (layout: LayoutSource, { digest, size }: Descriptor, what: string): ByteSource =>
  verified(required(layout, `blobs/sha256/${digest.slice('sha256:'.length)}`), { digest, size }, what)

const document = async <T>(
  layout: LayoutSource,
  descriptor: Descriptor,
  what: string,
  read: (value: unknown, at: string) => T,
): Promise<T> => {
  const name = `${what} ${descriptor.digest}`
  return read(parse(await bytesOf(openBlob(layout, descriptor, what), name), name), `${name}:`)
}

const namesIn = ({ manifests }: Index): readonly string[] =>
  manifests.flatMap(({ annotations }) => annotations?.[REF_NAME] ?? [])

/** The image of that name; without a name the only one. */
const choose = (layout: LayoutSource, index: Index, tag: string | undefined): Descriptor => {
  const found =
    tag === undefined ? index.manifests : index.manifests.filter(({ annotations }) => annotations?.[REF_NAME] === tag)
  const [first, ...rest] = found
  const names = namesIn(index).join(', ')
  const operation = tag === undefined ? `choose the image of ${layout.name}` : `find ${tag} in ${layout.name}`
  if (first === undefined)
    throw new InputError({
      operation,
      reason: tag === undefined ? 'there is none in it' : 'there is no image of that name',
      hint: names === '' ? undefined : `There is ${names}.`,
    })
  if (rest.length === 0) return first
  const hint = names === '' ? undefined : `Name one behind a colon: ${names}.`
  throw new InputError({ operation, reason: `it has ${found.length} images`, hint })
}

/** The one for this machine. */
const forMachine = (index: Index, name: string): Descriptor => {
  const architecture = ociArchitecture()
  const all = index.manifests.filter(({ mediaType }) => isManifest(mediaType) || isIndex(mediaType))
  const found = all.find(({ platform }) => platform?.os === 'linux' && platform.architecture === architecture)
  const only = all.length === 1 && all[0]?.platform === undefined ? all[0] : undefined
  const chosen = found ?? only
  if (chosen !== undefined) return chosen
  const there = all.map(({ platform }) => `${platform?.os ?? '?'}/${platform?.architecture ?? '?'}`).join(', ')
  throw new InputError({
    operation: `choose the image of ${name}`,
    reason: `it has none for linux/${architecture}`,
    hint: there === '' ? undefined : `There is ${there}.`,
  })
}

const manifestOf = async (layout: LayoutSource, tag: string | undefined): Promise<Descriptor> => {
  const index = readIndex(
    parse(await bytesOf(required(layout, 'index.json'), 'index.json'), 'index.json'),
    'index.json:',
  )
  let chosen = choose(layout, index, tag)
  for (let depth = 0; isIndex(chosen.mediaType); depth++) {
    if (depth === DEEPEST)
      throw new InputError({ operation: `use ${layout.name}`, reason: 'its indexes are nested too deeply' })
    chosen = forMachine(await document(layout, chosen, 'index', readIndex), layout.name)
  }
  if (isManifest(chosen.mediaType)) return chosen
  throw new InputError({ operation: 'use', target: chosen.digest, reason: `it is no image: ${chosen.mediaType}` })
}

const layoutVersion = async (layout: LayoutSource): Promise<void> => {
  const value = parse(await bytesOf(required(layout, 'oci-layout'), 'oci-layout'), 'oci-layout')
  const version: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'imageLayoutVersion') : undefined
  if (typeof version === 'string' && version.startsWith('1.')) return
  throw new InputError({
    operation: `use ${layout.name} as an image layout`,
    reason: `its version is ${JSON.stringify(version)}: 1.0.0 is known`,
  })
}

const layersOf = (manifest: Manifest, config: ImageConfig, name: string): readonly ImageLayer[] => {
  if (manifest.layers.length !== config.diffIds.length)
    throw new TareError({
      operation: 'use the image',
      target: name,
      code: 'ERR_TARE_DIGEST',
      reason: `it has ${manifest.layers.length} layers, and its configuration tells of ${config.diffIds.length}`,
    })
  return manifest.layers.map((descriptor, index) => {
    const diffId = config.diffIds[index]
    if (diffId === undefined)
      throw new InputError({ operation: 'use the image', target: name, reason: 'a layer has no digest' })
    return { descriptor, compression: layerCompression(descriptor), diffId }
  })
}

/**
 * Finds an image in a layout: by its name, or the only one; of an index that for this machine. All documents are held
 * against their digests and sizes. Throws {@link InputError} where there is none, {@link TareError} (`ERR_TARE_DIGEST`) where
 * something is not what it is said to be.
 */
export const findImage = async (layout: LayoutSource, tag?: string): Promise<Image> => {
  await layoutVersion(layout)
  const descriptor = await manifestOf(layout, tag)
  const manifest = await document(layout, descriptor, 'manifest', readManifest)
  const config = await document(layout, manifest.config, 'configuration', readConfig)
  if (config.os !== 'linux' || config.architecture !== ociArchitecture())
    throw new InputError({
      operation: 'use the image',
      target: descriptor.digest,
      reason: `it is for ${config.os}/${config.architecture}, and this machine is linux/${ociArchitecture()}`,
    })
  return { digest: descriptor.digest, config, layers: layersOf(manifest, config, descriptor.digest) }
}
