import type { ProcessCapabilities } from '../linux/capability.ts'
import { NO_CAPABILITIES, capabilityNames } from '../linux/capability.ts'
import { kernelCapabilities } from '../linux/capability-list.ts'
import { readProcessCapabilities } from '../linux/process-capability.ts'
import { InputError } from '../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from '../linux/fcntl.ts'
import { hintedSyscall } from '../linux/hinted-syscall.ts'
import type { NamespaceKind } from '../linux/namespace.ts'
import { NAMESPACE_KINDS, readNamespace } from '../linux/namespace.ts'
import { getSecurebits, securebitsMask } from '../linux/securebits.ts'
import { signalNumber } from '../linux/signal.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { Descriptors } from '../runtime/descriptors.ts'
import type { DirectorySpec, JoinSpec, LaunchSpec, UnshareSpec } from '../runtime/launch/spec.ts'
import { checkOptions } from './check-options.ts'
import type { LaunchOptions, UnshareOptions } from './launch-options.ts'
import { ENTER_OPTIONS, LAUNCH_OPTIONS, UNSHARE_OPTIONS } from './launch-options.ts'
import { checkCommand, resolveArgv0 } from './resolve.ts'
import type { ResolvedEnter } from './resolve-enter.ts'
import { resolveEnter } from './resolve-enter.ts'
import { environmentOf } from './resolve-process.ts'
import { resolvePivot } from './resolve-pivot.ts'
import { resolveUser } from './resolve-user.ts'
import { resolveUnshare } from './resolve-unshare.ts'

const openJoins = (directories: readonly string[], descriptors: Descriptors): readonly JoinSpec[] =>
  directories.map((path) => {
    const hints = {
      ENOENT: 'There is no such control group.',
      EACCES: 'It must be writable for this user: as root, or in a group that was delegated to it.',
      ENOTDIR: 'It must be the directory of a control group.',
    }
    const file = `${path.replace(/\/+$/, '')}/cgroup.procs`
    const words = { operation: 'join the control group', target: path }
    return { path, fd: descriptors.add(hintedSyscall(words, hints, 'openat', AT_FDCWD, file, O_WRONLY | O_CLOEXEC, 0)) }
  })

const checkId = (id: number | undefined, what: string): number | undefined => {
  if (id === undefined || (Number.isInteger(id) && id >= 0 && id < 0xffffffff)) return id
  throw new InputError({ operation: `use ${what}`, target: String(id), reason: 'ids are 0 to 4294967294' })
}

const checkPath = (path: string, what: string): string => {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  throw new InputError({ operation: `use ${what}`, target: JSON.stringify(path), reason: 'it is no path' })
}

const byPath = (path: string | undefined, what: string): DirectorySpec | undefined =>
  path === undefined ? undefined : { kind: 'path', path: checkPath(path, what) }

type Identity = Pick<LaunchSpec, 'uid' | 'gid' | 'groups' | 'dropGroups'>

/** Who the program is run by. In another user namespace that is its root, as in nsenter(1). */
const identityOf = (options: LaunchOptions, entered: ResolvedEnter | undefined): Identity => {
  const user =
    options.user === undefined ? undefined : resolveUser(options.user, [], options.pivot?.root ?? options.root ?? '/')
  const asRoot = entered?.kinds.includes('user') === true && options.enter?.preserveCredentials !== true
  const idOf = (which: 'uid' | 'gid'): number | undefined => {
    const given = options[which]
    if (given !== 'follow') return checkId(given, which)
    if (entered !== undefined) return entered.idOf(which)
    throw new InputError({ operation: `follow a ${which}`, reason: 'no process is entered', hint: 'Give a target.' })
  }
  const uid = idOf('uid') ?? user?.uid ?? (asRoot ? 0 : undefined)
  const gid = idOf('gid') ?? user?.gid ?? (asRoot ? 0 : undefined)
  for (const group of options.groups ?? []) checkId(group, 'group')
  const groups = options.groups ?? user?.groups ?? (gid === undefined ? undefined : [])
  const named = options.groups !== undefined || user !== undefined || entered?.kinds.includes('user') !== true
  const dropGroups = named || groups === undefined ? 'now' : options.gid === undefined ? 'maybe' : 'either'
  return { uid, gid, groups, dropGroups }
}

/** Of a process that has come into another user namespace (user_namespaces(7)). */
const allCapabilities = (): Pick<ProcessCapabilities, 'bounding' | 'permitted' | 'inheritable'> => ({
  bounding: kernelCapabilities(),
  permitted: kernelCapabilities(),
  inheritable: NO_CAPABILITIES,
})

/** Checks what the kernel would refuse with a bare EPERM, and says whether it takes CAP_SETPCAP. */
const capabilitiesOf = (
  options: LaunchOptions,
  kinds: readonly NamespaceKind[],
): Pick<LaunchSpec, 'capabilities' | 'dropped' | 'securebits' | 'setpcap'> => {
  const { capabilities, securebits } = options
  const mask = securebits === undefined ? undefined : securebitsMask(securebits)
  if (capabilities !== undefined) {
    const loose = capabilities.ambient & ~(capabilities.permitted & capabilities.inheritable)
    const ineffective = capabilities.effective & ~capabilities.permitted
    for (const [wrong, what, reason] of [
      [loose, 'ambient', 'what is ambient must be permitted and inheritable too'],
      [ineffective, 'effective', 'what is effective must be permitted too'],
    ] as const)
      if (wrong !== 0n)
        throw new InputError({ operation: `make ${what}`, target: capabilityNames(wrong).join(', '), reason })
  }
  const now = kinds.includes('user') ? allCapabilities() : readProcessCapabilities()
  const dropped = capabilities === undefined ? NO_CAPABILITIES : now.bounding & ~capabilities.bounding
  const adds = capabilities !== undefined && (capabilities.inheritable & ~(now.inheritable | now.permitted)) !== 0n
  const changes = mask !== undefined && mask !== securebitsMask(getSecurebits())
  return { capabilities, dropped, securebits: mask, setpcap: dropped !== NO_CAPABILITIES || adds || changes }
}

const checkUmask = (umask: number | undefined): number | undefined => {
  if (umask === undefined || (Number.isInteger(umask) && umask >= 0 && umask <= 0o777)) return umask
  throw new InputError({ operation: 'use umask', target: String(umask), reason: 'it is 0 to 0o777' })
}

/** Throws for a kind that this kernel was built without. */
const requireKinds = (kinds: readonly NamespaceKind[]): void => {
  for (const kind of kinds)
    if (readNamespace('self', kind) === undefined)
      throw new InputError({
        operation: 'make a new namespace',
        target: kind,
        reason: 'this kernel has none of that kind',
        hint: '"tare info" shows which it has.',
      })
}

const resolveOwn = (options: UnshareOptions | undefined): UnshareSpec | undefined => {
  if (options === undefined) return undefined
  checkOptions(options, UNSHARE_OPTIONS, 'option of unshare')
  for (const kind of options.kinds)
    if (!NAMESPACE_KINDS.includes(kind))
      throw new InputError({
        operation: 'make a new namespace',
        target: JSON.stringify(kind),
        reason: `the kinds are ${NAMESPACE_KINDS.join(', ')}`,
      })
  requireKinds(options.kinds)
  const uid = trySyscall('geteuid')
  return resolveUnshare(options, { uid, gid: trySyscall('getegid'), name: resolveUser(uid, [], '/').name })
}

/** Options checked, and all that they name opened: closed with `descriptors`. Throws {@link InputError}. */
export const resolveLaunch = (
  command: readonly string[],
  options: LaunchOptions,
  descriptors: Descriptors,
): LaunchSpec => {
  checkOptions(options, LAUNCH_OPTIONS)
  const args = checkCommand(command)
  if (options.enter !== undefined) checkOptions(options.enter, ENTER_OPTIONS, 'option of enter')
  const unshare = resolveOwn(options.unshare)
  const root = byPath(options.root, 'root')
  const workdir = byPath(options.workdir, 'workdir')
  const entered = options.enter === undefined ? undefined : resolveEnter(options.enter, descriptors)
  const deathSignal = options.parentDeathSignal
  const fork = options.fork ?? entered?.kinds.includes('pid') ?? false
  if (unshare?.persistent.pid !== undefined && !fork)
    throw new InputError({
      operation: 'keep the new pid namespace at',
      target: unshare.persistent.pid,
      reason: 'no process would be born into it',
      hint: 'Give --fork too (fork: true).',
    })
  return {
    args,
    argv0: resolveArgv0(options.argv0),
    env:
      options.env === undefined && entered?.env !== undefined ? entered.env : environmentOf(options.env ?? process.env),
    joins: openJoins([...(options.cgroups ?? []), ...(entered?.cgroups ?? [])], descriptors),
    enter: entered?.enter ?? [],
    unshare,
    root: root ?? entered?.root,
    pivot: resolvePivot(options),
    workdir: workdir ?? entered?.workdir,
    fork,
    ...identityOf(options, entered),
    ...capabilitiesOf(options, [...(unshare?.kinds ?? []), ...(entered?.kinds ?? [])]),
    keepCapabilities: options.keepCapabilities ?? false,
    noNewPrivileges: options.noNewPrivileges ?? false,
    umask: checkUmask(options.umask),
    parentDeathSignal: deathSignal === undefined ? undefined : signalNumber(deathSignal),
  }
}
