import { InputError } from '../../linux/error.ts'
import { arrayOf, Fields, mapOf, show, string } from '../../oci/fields.ts'
import type { Compression } from '../compression.ts'
import type { Digest } from './digest.ts'
import { isDigest } from './digest.ts'

/** image-spec, media-types.md. */
export const INDEX = 'application/vnd.oci.image.index.v1+json'
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const CONFIG = 'application/vnd.oci.image.config.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'

/** The name of an image in an index (image-spec, annotations.md). */
export const REF_NAME = 'org.opencontainers.image.ref.name'

/** Docker's own kinds, which say the same (distribution, manifest-v2-2). */
const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json'
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar'

export const isIndex = (mediaType: string): boolean => mediaType === INDEX || mediaType === DOCKER_INDEX
export const isManifest = (mediaType: string): boolean => mediaType === MANIFEST || mediaType === DOCKER_MANIFEST

export const layerType = (compression: Compression): string =>
  compression === 'none' ? LAYER : `${LAYER}+${compression}`

const COMPRESSIONS: ReadonlyMap<string, Compression> = new Map<string, Compression>([
  [LAYER, 'none'],
  [`${LAYER}+gzip`, 'gzip'],
  [`${LAYER}+zstd`, 'zstd'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd'],
  [DOCKER_LAYER, 'none'],
  [`${DOCKER_LAYER}.gzip`, 'gzip'],
  [`${DOCKER_LAYER}.zstd`, 'zstd'],
])

/** How a layer is compressed. Throws {@link InputError} for what is none. */
export const layerCompression = ({ mediaType, digest }: Descriptor): Compression => {
  const compression = COMPRESSIONS.get(mediaType)
  if (compression !== undefined) return compression
  throw new InputError({
    operation: 'use layer',
    target: digest,
    reason: `it is of a kind that is not known: ${mediaType}`,
  })
}

/** What a machine has to be to run an image (image-spec, image-index.md). */
export interface Platform {
  readonly architecture: string
  readonly os: string
  readonly variant?: string | undefined
}

/** Names content by what it is (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly platform?: Platform | undefined
}

export interface Index {
  readonly manifests: readonly Descriptor[]
}

export interface Manifest {
  readonly config: Descriptor
  /** The lowest first. */
  readonly layers: readonly Descriptor[]
}

/** What of an image's configuration is used here (image-spec, config.md). */
export interface ImageConfig extends Platform {
  /** The digest of each layer's archive before it was compressed. */
  readonly diffIds: readonly Digest[]
}

const refuse = (at: string, reason: string): never => {
  throw new InputError({ operation: 'use', target: at, reason })
}

const digest = (value: unknown, at: string): Digest => {
  const text = string(value, at)
  return isDigest(text) ? text : refuse(at, `${show(text)} is no digest by SHA-256`)
}

const size = (value: unknown, at: string): number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
    ? value
    : refuse(at, `${show(value)} is no size`)

const platform = (value: unknown, at: string): Platform => {
  const fields = new Fields(value, at)
  return {
    architecture: fields.required('architecture', string),
    os: fields.required('os', string),
    variant: fields.optional('variant', string),
  }
}

const descriptor = (value: unknown, at: string): Descriptor => {
  const fields = new Fields(value, at)
  return {
    mediaType: fields.required('mediaType', string),
    digest: fields.required('digest', digest),
    size: fields.required('size', size),
    annotations: fields.optional('annotations', mapOf(string)),
    platform: fields.optional('platform', platform),
  }
}

const version = (value: unknown, at: string): number =>
  value === 2 ? value : refuse(at, `${show(value)} is no version that is known: 2 is`)

/** Reads an image index. Throws {@link InputError}. */
export const readIndex = (value: unknown, at: string): Index => {
  const fields = new Fields(value, at)
  fields.required('schemaVersion', version)
  return { manifests: fields.optional('manifests', arrayOf(descriptor)) ?? [] }
}

/** Reads an image manifest. Throws {@link InputError}. */
export const readManifest = (value: unknown, at: string): Manifest => {
  const fields = new Fields(value, at)
  fields.required('schemaVersion', version)
  return { config: fields.required('config', descriptor), layers: fields.optional('layers', arrayOf(descriptor)) ?? [] }
}

/** Reads an image's configuration. Throws {@link InputError}. */
export const readConfig = (value: unknown, at: string): ImageConfig => {
  const fields = new Fields(value, at)
  const rootfs = fields.required('rootfs', (each, place) => new Fields(each, place))
  return { ...platform(value, at), diffIds: rootfs.optional('diff_ids', arrayOf(digest)) ?? [] }
}

/** What Node calls an architecture, as Go does, and so the image-spec. */
export const ociArchitecture = (architecture: string = process.arch): string =>
  architecture === 'x64' ? 'amd64' : architecture
