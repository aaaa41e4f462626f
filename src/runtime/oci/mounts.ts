import { resolve } from 'node:path'
import type { Mount } from '../../oci/mount.ts'
import { InputError } from '../../linux/error.ts'
import type { MountOptions } from '../../linux/mount-options.ts'
import { parseMountOptions } from '../../linux/mount-options.ts'
import type { Register } from '../../plan/step.ts'
import { makeFilesystem, setAttributes } from '../plan/mounts.ts'
import type { OciContext } from './context.ts'
import { sourceTree } from './root.ts'
import { attachAt } from './targets.ts'

/** An entry of `mounts` with its words understood. */
export interface ReadMount {
  readonly mount: Mount
  /** Absolute, in the container. */
  readonly target: string
  readonly options: MountOptions
  readonly kind: 'bind' | 'cgroup' | 'filesystem'
}

const refuse = (place: string, reason: string, hint?: string): never => {
  throw new InputError({ operation: 'use', target: `config.json: ${place}`, reason, hint })
}

/** Reads the words of every mount. Throws {@link InputError} for what this runtime can't do. */
export const readMounts = (mounts: readonly Mount[] = []): readonly ReadMount[] =>
  mounts.map((mount, index): ReadMount => {
    const place = `mounts[${index}]`
    const options = parseMountOptions(mount.options ?? [])
    const isBind = options.bind !== undefined || mount.type === 'bind'
    const kind = isBind ? 'bind' : mount.type === 'cgroup' || mount.type === 'cgroup2' ? 'cgroup' : 'filesystem'
    if (kind === 'bind' && (mount.source ?? '') === '') refuse(`${place}.source`, 'a bind mount needs one')
    if (kind === 'filesystem' && (mount.type ?? '') === '')
      refuse(`${place}.type`, 'only a bind mount does without one')
    if (options.idmap !== undefined || (mount.uidMappings?.length ?? 0) > 0)
      refuse(place, 'the owners of its files can not be mapped yet', 'Leave out idmap, uidMappings and gidMappings.')
    if (options.copyUp) refuse(place, 'a tmpfs can not be filled yet with what lies below it', 'Leave out tmpcopyup.')
    if (options.remount) refuse(place, 'nothing is mounted yet that could be remounted')
    return { mount, target: resolve('/', mount.destination), options, kind }
  })

/** Where a bind mount comes from: a relative path is meant from the bundle. */
const sourceOf = (context: OciContext, { mount }: ReadMount): string =>
  resolve(context.request.bundle, mount.source ?? '')

/** Trees of the host, which have to be taken while its mounts are still to be seen. */
export type Sources = ReadonlyMap<ReadMount, Register>

export const planSources = (context: OciContext, mounts: readonly ReadMount[]): Sources => {
  const taken = new Map<ReadMount, Register>()
  for (const mount of mounts)
    if (mount.kind === 'bind')
      taken.set(mount, sourceTree(context, sourceOf(context, mount), mount.options.bind !== 'bind'))
  return taken
}

/** What is set for a mount itself, for all below it, and how it propagates, in the order of the words. */
const planAttributes = (context: OciContext, mount: Register, read: ReadMount): void => {
  const { attributes, recursive, propagation } = read.options
  // What a mount from another user namespace forbids is locked, and stays so (mount_namespaces(7)).
  const change = ({ set, clear }: { readonly set: number; readonly clear: number }, all: boolean): void => {
    const cleared = context.inUserNamespace && set === 0 ? 0 : clear
    if (set === 0 && cleared === 0) return
    setAttributes(context, mount, { set, clear: cleared, recursive: all }, `restrict ${read.target}`)
  }
  if (read.kind === 'bind') change(attributes, false)
  change(recursive, true)
  for (const { type, recursive: all } of propagation)
    setAttributes(context, mount, { set: 0, propagation: type, recursive: all }, `make ${read.target} ${type}`)
}

/** Makes a new file system as a mount entry has it. */
const planFilesystem = (context: OciContext, { mount, options, target }: ReadMount): Register => {
  const { type = '', source } = mount
  const settings: (readonly [string, string | undefined])[] = [
    ...(source === undefined || source === '' ? [] : [['source', source] as const]),
    ...options.superblock.map((word) => [word, undefined] as const),
    ...options.data.map(({ key, value }) => [key, value] as const),
  ]
  return makeFilesystem(context, type, `make a ${type} for ${target}`, '', options.attributes.set, settings)
}

/** Mounts one entry. */
export const planMount = (context: OciContext, root: Register, read: ReadMount, sources: Sources): void => {
  const { stage, host } = context
  stage.mechanism('chroot')
  const { kind, target } = read
  if (kind === 'bind') {
    const tree = sources.get(read)
    if (tree === undefined) return
    const source = sourceOf(context, read)
    const make = host.kernelFile(source) === 'directory' ? 'directory' : 'file'
    attachAt(context, root, tree, target, make, `mount ${source} at ${target}`)
    planAttributes(context, tree, read)
    stage.release(tree)
    return
  }
  const made = planFilesystem(context, read)
  attachAt(context, root, made, target, 'directory', `mount it at ${target}`)
  planAttributes(context, made, read)
  stage.release(made)
}
