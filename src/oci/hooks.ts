import type { Read } from './fields.ts'
import { absolutePath, arrayOf, Fields, integer, string } from './fields.ts'

/** The moments of a container's life at which hooks run, in their order (runtime-spec, runtime.md, Lifecycle). */
export const HOOK_NAMES = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const

export type HookName = (typeof HOOK_NAMES)[number]

/** A program that is run at one of those moments, and reads the container's state from its standard input. */
export interface Hook {
  /** Absolute; where it is looked up, on the host or in the container, depends on the moment. */
  readonly path: string
  /** All of argv, its first word included. */
  readonly args?: readonly string[] | undefined
  readonly env?: readonly string[] | undefined
  /** Seconds, at least 1. */
  readonly timeout?: number | undefined
}

export type Hooks = { readonly [name in HookName]?: readonly Hook[] | undefined }

const readHook: Read<Hook> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    path: fields.required('path', absolutePath),
    args: fields.optional('args', arrayOf(string)),
    env: fields.optional('env', arrayOf(string)),
    timeout: fields.optional('timeout', integer(1, 2 ** 31 - 1)),
  }
}

/** Reads `hooks`. */
export const readHooks: Read<Hooks> = (value, at) => {
  const fields = new Fields(value, at)
  return Object.fromEntries(HOOK_NAMES.map((name) => [name, fields.optional(name, arrayOf(readHook))]))
}
