import type { RunOptions } from '../index.ts'
import { wrongValue } from './wrong-value.ts'

type Profile = Exclude<NonNullable<RunOptions['seccomp']>, string>

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isThere = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== '' && !(isObject(value) && Object.keys(value).length === 0)

/** The library checks all of it; here is only looked that it is an object. */
const isProfile = (value: unknown): value is Profile => isObject(value)

/** What of docker's own form says when a rule holds. Left out, the rule would hold always. */
const CONDITIONS = ['includes', 'excludes'] as const

const hasConditions = (profile: Readonly<Record<string, unknown>>): boolean => {
  const { syscalls } = profile
  const rules: readonly unknown[] = Array.isArray(syscalls) ? syscalls : []
  return (
    isThere(profile['archMap']) || rules.some((rule) => isObject(rule) && CONDITIONS.some((key) => isThere(rule[key])))
  )
}

/**
 * A profile of system calls in the form of the OCI (`linux.seccomp`), from the text of a file. Throws
 * {@link UsageError} if it isn't JSON, or has conditions that only docker's own form knows.
 */
export const parseSeccompProfile = (path: string, text: string): Profile => {
  const option = `seccomp=${path}`
  let profile: unknown
  try {
    profile = JSON.parse(text)
  } catch (error) {
    throw wrongValue(
      'security-opt',
      option,
      `it is not JSON (${error instanceof Error ? error.message : String(error)})`,
    )
  }
  if (!isProfile(profile)) throw wrongValue('security-opt', option, 'it is no object')
  if (hasConditions({ ...profile }))
    throw wrongValue(
      'security-opt',
      option,
      "it is in docker's own form, with archMap, includes or excludes, which is not there yet",
      "Write it in the form of the OCI's linux.seccomp. Tare's default profile needs no file.",
    )
  return profile
}
