import { ALL_CAPABILITIES, capabilityNames, capabilitySet } from '../linux/capability.ts'
import { readProcessCapabilities } from '../linux/process-capability.ts'
import { InputError } from '../linux/error.ts'
import type { NamedRlimit } from '../linux/rlimit.ts'
import { parseRlimit, rlimitNumber } from '../linux/rlimit.ts'
import { compileSeccomp } from '../linux/seccomp/compile.ts'
import type { SeccompProgram } from '../linux/seccomp/compile.ts'
import { validateSeccompProfile } from '../linux/seccomp/profile.ts'
import { defaultSeccompProgram } from '../runtime/default-seccomp.ts'
import type { Capabilities, Rlimit, SeccompSpec } from '../runtime/spec.ts'
import type { ContainerOptions } from './options.ts'
import type { ResolvedUser } from './resolve-user.ts'

/**
 * What root in a container may do: as podman has it, which has been enough for most images for years, but for
 * CAP_SETFCAP: with it, and a directory of the host, a file could get capabilities that are good on the host.
 */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
  'CAP_SYS_CHROOT',
]

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const isAll = (word: string): boolean => word.toUpperCase() === 'ALL'

/** What the caller has to give: all, in a user namespace of its own; else what it has itself. */
const available = ({ userns, capAdd = [] }: ContainerOptions): bigint => {
  if (userns !== 'host') return ALL_CAPABILITIES
  const own = readProcessCapabilities().permitted
  const missing = capabilityNames(capabilitySet(capAdd.filter((word) => !isAll(word))) & ~own)
  if (missing.length === 0) return own
  throw new InputError({
    operation: 'add capability',
    target: missing.join(', '),
    reason: 'this process does not have it itself',
    hint: 'In a user namespace of its own the container could have it: leave out userns host.',
  })
}

/** As docker: first what is added, then what is dropped; `ALL` stands for all, and a name wins over it. */
const granted = (options: ContainerOptions): bigint => {
  const { capAdd = [], capDrop = [] } = options
  const base = capDrop.some(isAll) ? 0n : capAdd.some(isAll) ? ALL_CAPABILITIES : capabilitySet(DEFAULT_CAPABILITIES)
  const added = capabilitySet(capAdd.filter((word) => !isAll(word)))
  const dropped = capabilitySet(capDrop.filter((word) => !isAll(word)))
  return (base | added) & ~dropped & available(options)
}

/**
 * Root gets what is granted. Another user may get it back only by a set-user-id or capable program: what it shall have
 * from the start, and so in the ambient set, is what was added by name.
 */
export const resolveCapabilities = (options: ContainerOptions, user: ResolvedUser): Capabilities => {
  const bounding = granted(options)
  if (user.uid === 0) return { bounding, permitted: bounding, effective: bounding, inheritable: 0n, ambient: 0n }
  const named = capabilitySet((options.capAdd ?? []).filter((word) => word.toUpperCase() !== 'ALL')) & bounding
  return { bounding, permitted: named, effective: named, inheritable: named, ambient: named }
}

/**
 * The filter of system calls. A caller's own profile is compiled each time. `setuidFiles`: whether the default one lets
 * files get set-user-id.
 */
export const resolveSeccomp = (
  option: ContainerOptions['seccomp'],
  bounding: bigint,
  setuidFiles = true,
): SeccompSpec | undefined => {
  if (option === 'unconfined') return undefined
  if (typeof option === 'string' && option !== 'default')
    throw new InputError({
      operation: 'use seccomp',
      target: JSON.stringify(option),
      reason: 'it is default, unconfined or a profile',
    })
  const compiled: SeccompProgram =
    option === undefined || option === 'default'
      ? defaultSeccompProgram(capabilityNames(bounding), { setuidFiles })
      : compileSeccomp(validateSeccompProfile(option, 'seccomp'))
  if (compiled.listener)
    throw new InputError({
      operation: 'use seccomp',
      reason: 'a profile with SCMP_ACT_NOTIFY needs a listener',
      hint: 'Use another action.',
    })
  return { program: compiled.program, flags: compiled.flags }
}

const limitText = (value: number | string | readonly [number | string, number | string]): string =>
  typeof value === 'object' ? value.join(':') : String(value)

export const resolveRlimits = (ulimits: ContainerOptions['ulimits']): readonly Rlimit[] =>
  Object.entries(ulimits ?? {}).map(([name, value]): Rlimit => {
    const limit: NamedRlimit = parseRlimit(`${name}=${limitText(value)}`)
    return {
      resource: rlimitNumber(limit.name),
      name: limit.name.slice('RLIMIT_'.length).toLowerCase(),
      soft: limit.soft,
      hard: limit.hard,
    }
  })

/** The environment of a program: a few variables that all expect, and the caller's. */
export const resolveEnv = (
  given: Readonly<Record<string, string | undefined>> | undefined,
  user: ResolvedUser,
  { hostname, tty }: { readonly hostname?: string; readonly tty: boolean },
): readonly string[] => {
  const env: Record<string, string | undefined> = {
    PATH: DEFAULT_PATH,
    HOME: user.home,
    ...(hostname === undefined ? {} : { HOSTNAME: hostname }),
    ...(tty ? { TERM: 'xterm' } : {}),
    ...given,
  }
  return environmentOf(env)
}

/** `NAME=value` for each variable that has one. Throws {@link InputError} for what no environment can hold. */
export const environmentOf = (env: Readonly<Record<string, string | undefined>>): readonly string[] => {
  const entries: string[] = []
  for (const name in env) {
    const value = env[name]
    if (value === undefined) continue
    const entry = `${name}=${value}`
    if (name === '' || name.includes('=') || entry.includes('\0'))
      throw new InputError({
        operation: 'set the variable',
        target: JSON.stringify(name),
        reason: 'a name has no "=", and neither it nor its value a NUL character',
      })
    entries.push(entry)
  }
  return entries
}
