import { isAbsolute, resolve } from 'node:path'
import { InputError } from '../linux/error.ts'
import type { PivotBind, PivotSpec } from '../runtime/launch/pivot-spec.ts'
import { checkOptions } from './check-options.ts'
import { DEFAULT_DEVICES } from './devices.ts'
import type { LaunchOptions, PivotOptions } from './launch-options.ts'
import { PIVOT_OPTIONS } from './launch-options.ts'

const refuse = (reason: string, hint: string): InputError =>
  new InputError({ operation: 'make a directory the root by pivot', reason, hint })

const checkBind = ({ source, target, readOnly = false }: NonNullable<PivotOptions['binds']>[number]): PivotBind => {
  if (source !== '' && isAbsolute(target) && !`${source}${target}`.includes('\0'))
    return { source: resolve(source), target, readOnly }
  throw new InputError({
    operation: 'bind',
    target: `${source} at ${target}`,
    reason: 'it takes a path, and an absolute path in the root',
  })
}

/** A pivot decided in full; throws {@link InputError} where it lacks a mount namespace of its own. */
export const resolvePivot = ({ pivot, root, unshare }: LaunchOptions): PivotSpec | undefined => {
  if (pivot === undefined) return undefined
  checkOptions(pivot, PIVOT_OPTIONS, 'option of pivot')
  if (root !== undefined) throw refuse('there is a root besides', 'Leave root out.')
  if (unshare?.kinds.includes('mnt') !== true || (unshare.propagation ?? 'private') !== 'private')
    throw refuse('that takes a new mount namespace with private mounts', 'Let unshare have mnt among its kinds.')
  const binds = (pivot.binds ?? []).map(checkBind)
  const proc: PivotBind = { source: '/proc', target: '/proc', readOnly: false }
  return {
    root: resolve(pivot.root),
    binds: pivot.proc === true ? [proc, ...binds] : binds,
    devices: pivot.dev === true ? DEFAULT_DEVICES.map(({ path }) => path) : undefined,
  }
}
