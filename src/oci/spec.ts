import { checkConsistency } from './consistency.ts'
import type { Read } from './fields.ts'
import { arrayOf, boolean, Fields, mapOf, nonEmpty, string } from './fields.ts'
import type { Hooks } from './hooks.ts'
import { readHooks } from './hooks.ts'
import { parseJson } from './json.ts'
import type { Linux } from './linux.ts'
import { readLinux } from './linux.ts'
import type { Mount } from './mount.ts'
import { readMount } from './mount.ts'
import type { Process } from './process.ts'
import { readProcess } from './process.ts'
import { readOciVersion } from './version.ts'

/** `root` of config.json. */
export interface Root {
  /** Absolute, or relative to the bundle. */
  readonly path: string
  readonly readonly?: boolean | undefined
}

/** config.json of a bundle (runtime-spec, config.md), as far as it concerns Linux. */
export interface Spec {
  readonly ociVersion: string
  readonly root: Root
  readonly mounts?: readonly Mount[] | undefined
  /** Needed to start, not to create. */
  readonly process?: Process | undefined
  readonly hostname?: string | undefined
  readonly domainname?: string | undefined
  readonly hooks?: Hooks | undefined
  readonly annotations?: Readonly<Record<string, string>> | undefined
  readonly linux?: Linux | undefined
}

const readRoot: Read<Root> = (value, at) => {
  const fields = new Fields(value, at)
  return { path: fields.required('path', nonEmpty), readonly: fields.optional('readonly', boolean) }
}

const readSpec: Read<Spec> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    ociVersion: fields.required('ociVersion', readOciVersion),
    root: fields.required('root', readRoot),
    mounts: fields.optional('mounts', arrayOf(readMount)),
    process: fields.optional('process', readProcess),
    hostname: fields.optional('hostname', string),
    domainname: fields.optional('domainname', string),
    hooks: fields.optional('hooks', readHooks),
    annotations: fields.optional('annotations', mapOf(string)),
    linux: fields.optional('linux', readLinux),
  }
}

/**
 * Reads the text of config.json, checked for types, ranges, what must not be there twice, and contradictions. What the specification
 * doesn't know is ignored, as it demands. Throws InputError at the first fault: `cannot use config.json: root.path: …`.
 */
export const parseSpec = (text: string, name = 'config.json'): Spec => {
  const spec = readSpec(parseJson(text, name), `${name}:`)
  checkConsistency(spec, `${name}:`)
  return spec
}

/** Reads the text of a process by itself, as `exec --process` is given. Throws InputError as {@link parseSpec} does. */
export const parseProcess = (text: string, name = 'process.json'): Process =>
  readProcess(parseJson(text, name), `${name}:`)
