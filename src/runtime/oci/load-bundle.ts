import { readFileSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Process } from '../../oci/process.ts'
import type { Spec } from '../../oci/spec.ts'
import { parseSpec } from '../../oci/spec.ts'
import { InputError } from '../../linux/error.ts'
import { fileType } from '../../linux/file-type.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { refuseUnsupported } from './refuse.ts'

/** A container may be created without a program, which it then can't be started with. */
const NOTHING: Process = { args: [], cwd: '/', user: { uid: 0, gid: 0 } }

/** A bundle, read and checked. */
export interface LoadedBundle {
  /** Absolute, without links. */
  readonly bundle: string
  readonly rootfs: string
  /** The text of config.json. */
  readonly config: string
  readonly spec: Spec
  /** With no words where the configuration has none. */
  readonly process: Process
}

const realPath = (path: string, operation: string): string => {
  try {
    return realpathSync(path)
  } catch (error) {
    throw fromNodeError(error, operation, path)
  }
}

/** Reads the bundle in a directory. Throws {@link InputError} for what is wrong with it. */
export const loadBundle = (directory: string): LoadedBundle => {
  const bundle = realPath(directory, 'find the bundle')
  const path = `${bundle}/config.json`
  let config: string
  try {
    config = readFileSync(path, 'utf8')
  } catch (error) {
    throw fromNodeError(error, 'read', path)
  }
  const spec = parseSpec(config)
  refuseUnsupported(spec)
  const { process = NOTHING } = spec
  const rootfs = realPath(resolve(bundle, spec.root.path), 'find the root file system')
  if (fileType(rootfs, { follow: true }) !== 'directory')
    throw new InputError({ operation: 'use', target: 'config.json: root.path', reason: `${rootfs} is no directory` })
  return { bundle, rootfs, config, spec, process }
}
