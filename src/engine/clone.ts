import { existsSync } from 'node:fs'
import { InputError } from '../linux/error.ts'
import { Losses } from '../rootfs/build/attributes.ts'
import { checkPlace } from '../rootfs/build/place.ts'
import { checkOptions } from './check-options.ts'
import { readSettings, writeCopiedSettings } from './settings/settings.ts'
import { withHeldSystem } from './held-system.ts'
import type { CopyMethod } from './system-copy.ts'
import { copySystem, renewSystem } from './system-copy.ts'
import { placeSystem } from './system-place.ts'

export interface CloneOptions {
  /** Where the new system is to be: a directory that is empty, or not there. */
  readonly output: string
  /** Gives up, and leaves nothing. */
  readonly signal?: AbortSignal | undefined
}

const CLONE_OPTIONS: readonly (keyof CloneOptions)[] = ['output', 'signal']

/** A system that was made of another. */
export interface ClonedSystem {
  /** Absolute. */
  readonly path: string
  readonly method: CopyMethod
  /** What was left out: sentences. */
  readonly warnings: readonly string[]
}

/**
 * Makes a machine like another one: its system with all that files have, sharing blocks where the file system can, and its
 * settings but the host name. The new one gets a machine id of its own when it is first booted. It is made beside its place and put
 * there at the end, so there is all of it or nothing.
 *
 * Throws {@link InputError} for what is no system, for one that is running, and where something is there already;
 * {@link TareError} where something can't be read or written.
 *
 * @example
 * ```ts
 * const { method } = await cloneSystem('./box', { output: './other' })
 * ```
 */
export const cloneSystem = async (directory: string, options: CloneOptions): Promise<ClonedSystem> => {
  checkOptions(options, CLONE_OPTIONS)
  const { output, signal } = options
  const file = `${checkPlace(output, false).path}.tare.json`
  if (existsSync(file))
    throw new InputError({
      operation: 'clone to',
      target: output,
      reason: `there are settings of an earlier machine: ${file}`,
      hint: 'Remove them, or choose another place.',
    })
  const { hostname: _, ...settings } = readSettings(directory)
  const left = new Losses()
  const work = { signal, onLeftOut: (what: string, path: string): void => left.note(what, path) }
  return withHeldSystem(directory, async (tree) => {
    const { path, made: method } = await placeSystem(output, async (target) => {
      const copied = await copySystem(tree, target, work)
      await renewSystem(tree, target, work)
      return copied
    })
    if (Object.keys(settings).length > 0) writeCopiedSettings(path, settings)
    return { path, method, warnings: left.sentences }
  })
}
