import { closeSync, readFileSync } from 'node:fs'
import { numberRlimits } from '../../oci/rlimits.ts'
import { grantCapabilities } from '../../oci/capabilities.ts'
import type { Process } from '../../oci/process.ts'
import { kernelCapabilities } from '../../linux/capability-list.ts'
import { InputError, TareError } from '../../linux/error.ts'
import { O_CLOEXEC, O_DIRECTORY, O_NONBLOCK, O_PATH, O_RDONLY } from '../../linux/fcntl.ts'
import { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../linux/open-how.ts'
import { openat2 } from '../../linux/openat2.ts'
import type { SeccompProfile } from '../../linux/seccomp/profile.ts'
import type { Capabilities, ProcessSpec, SeccompSpec } from '../spec.ts'
import type { Warn } from './warn.ts'

/** What can be given: as far as this kernel knows it. What isn't known can't be granted, and is warned of (config.md, Linux Process). */
const capabilitiesOf = (process: Process, warn: Warn): Capabilities => {
  const { refused, ...sets } = grantCapabilities(process.capabilities, kernelCapabilities())
  for (const name of refused)
    warn(new InputError({ operation: 'grant', target: name, reason: 'this kernel has no such capability' }))
  // One that isn't both can't be ambient (capabilities(7)); engines write such sets all the same.
  return { ...sets, ambient: sets.ambient & sets.permitted & sets.inheritable }
}

const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENXIO']

/** The text of a file of a root that somebody else made: no link in it leads elsewhere. Undefined where it isn't there. */
const readInRoot = (root: string, path: string): string | undefined => {
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
  const opened: number[] = []
  try {
    const directory = openat2(root, { flags: O_PATH | O_DIRECTORY | O_CLOEXEC })
    opened.push(directory)
    const file = openat2(path, { flags: O_RDONLY | O_NONBLOCK | O_CLOEXEC, resolve }, directory)
    opened.push(file)
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof TareError && ABSENT.includes(error.code)) return undefined
    throw error
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

/** The home of a user by the root's own passwd(5), "/" where it has none. */
const homeOf = (uid: number, passwd: string | undefined): string => {
  for (const line of (passwd ?? '').split('\n')) {
    const [, , id, , , home = ''] = line.split(':')
    if (id === String(uid) && home !== '') return home
  }
  return '/'
}

/** `linux.seccomp` as the kernel takes it. Compiling is loaded only where there is something to compile. */
export const seccompOf = async (profile: SeccompProfile | undefined): Promise<SeccompSpec | undefined> => {
  if (profile === undefined) return undefined
  const { compileSeccomp } = await import('../../linux/seccomp/compile.ts')
  const { program, flags } = compileSeccomp(profile, { newer: 'ENOSYS' })
  return { program, flags }
}

/** What a program is run as, and what of it Tare must know. */
export interface ProcessOptions {
  /** Its root on the host, or as this process reaches it. */
  readonly rootfs: string
  readonly seccomp: SeccompSpec | undefined
  readonly newKeyring: boolean
  /** Is told of capabilities that can't be granted. */
  readonly warn?: Warn | undefined
}

/** `process` decided in full. Throws {@link InputError} for a terminal with a size of nothing. */
export const processSpecOf = (
  process: Process,
  { rootfs, seccomp, newKeyring, warn = () => {} }: ProcessOptions,
): ProcessSpec => {
  const { user, args, cwd, env = [], consoleSize } = process
  if (args[0] === '')
    throw new InputError({ operation: 'use', target: 'process.args', reason: 'the program has no name' })
  const hasHome = env.some((entry) => entry.startsWith('HOME=') && entry !== 'HOME=')
  const home = hasHome ? [] : [`HOME=${homeOf(user.uid, readInRoot(rootfs, 'etc/passwd'))}`]
  return {
    args,
    env: [...env.filter((entry) => hasHome || !entry.startsWith('HOME=')), ...home],
    cwd,
    uid: user.uid,
    gid: user.gid,
    groups: user.additionalGids ?? [],
    umask: user.umask ?? 0o022,
    capabilities: capabilitiesOf(process, warn),
    noNewPrivileges: process.noNewPrivileges === true,
    rlimits: numberRlimits(process.rlimits).map((limit) => ({
      ...limit,
      name: limit.name.slice('RLIMIT_'.length).toLowerCase(),
    })),
    terminal: process.terminal === true,
    size: consoleSize === undefined ? undefined : { columns: consoleSize.width, rows: consoleSize.height },
    init: false,
    seccomp,
    newKeyring,
  }
}
