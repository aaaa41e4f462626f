import type { NamespaceKind } from '../linux/namespace.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import type { HostItem, HostSource } from './host-source.ts'
import { readNumber } from './host-source.ts'

const has = (host: HostSource, kind: NamespaceKind): boolean => host.exists(`/proc/self/ns/${kind}`)

const kinds = (host: HostSource): HostItem => {
  const item = { id: 'namespaces', name: 'namespaces', group: 'namespaces' } as const
  const missing = NAMESPACE_KINDS.filter((kind) => kind !== 'time' && !has(host, kind))
  if (missing.length === 0)
    return { ...item, state: 'yes', detail: NAMESPACE_KINDS.filter((kind) => has(host, kind)).join(', ') }
  const remedy = 'Use a kernel built with them (CONFIG_NAMESPACES and the options below it).'
  return { ...item, state: 'limited', detail: `missing: ${missing.join(', ')}`, remedy }
}

const time = (host: HostSource): HostItem => {
  const item = { id: 'time-namespaces', name: 'time namespaces', group: 'namespaces' } as const
  if (has(host, 'time')) return { ...item, state: 'yes', detail: 'clocks can be shifted' }
  return { ...item, state: 'no', detail: 'not in this kernel', remedy: 'Use a kernel built with CONFIG_TIME_NS.' }
}

/** Whether an ordinary user may make user namespaces: four switches that distributions and administrators know. */
const user = (host: HostSource): HostItem => {
  const item = { id: 'user-namespaces', name: 'user namespaces for ordinary users', group: 'namespaces' } as const
  if (!has(host, 'user')) {
    return {
      ...item,
      state: 'no',
      detail: 'not in this kernel',
      remedy: 'Use a kernel built with CONFIG_USER_NS, or be root.',
    }
  }
  const most = readNumber(host, '/proc/sys/user/max_user_namespaces')
  if (most === 0) {
    const remedy = 'sysctl -w user.max_user_namespaces=15000'
    return { ...item, state: 'no', detail: 'user.max_user_namespaces is 0', remedy }
  }
  if (readNumber(host, '/proc/sys/kernel/unprivileged_userns_clone') === 0) {
    const remedy = 'sysctl -w kernel.unprivileged_userns_clone=1'
    return { ...item, state: 'no', detail: 'kernel.unprivileged_userns_clone is 0', remedy }
  }
  if (readNumber(host, '/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === 1) {
    const remedy =
      'Give Tare an AppArmor profile with the rule "userns," or: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
    const detail = 'AppArmor lets them have no capabilities (kernel.apparmor_restrict_unprivileged_userns is 1)'
    return { ...item, state: 'limited', detail, remedy }
  }
  return { ...item, state: 'yes', detail: most === undefined ? 'allowed' : `allowed, at most ${most} for each user` }
}

/** `user.max_*_namespaces` (namespaces(7)): fewer than this are soon used up. */
const FEW = 64

const limits = (host: HostSource): HostItem => {
  const item = { id: 'namespace-limits', name: 'limits of namespaces', group: 'namespaces' } as const
  const found = NAMESPACE_KINDS.flatMap((kind) => {
    const most = readNumber(host, `/proc/sys/user/max_${kind}_namespaces`)
    return most === undefined ? [] : [{ key: `user.max_${kind}_namespaces`, most }]
  })
  const low = found.filter(({ most }) => most < FEW)
  if (low.length === 0) {
    const least = Math.min(...found.map(({ most }) => most))
    return {
      ...item,
      state: 'yes',
      detail: found.length === 0 ? 'none' : `at least ${least} of each kind for each user`,
    }
  }
  return {
    ...item,
    state: low.some(({ most }) => most === 0) ? 'no' : 'limited',
    detail: low.map(({ key, most }) => `${key} is ${most}`).join(', '),
    remedy: `sysctl -w ${low.map(({ key }) => `${key}=15000`).join(' ')}`,
  }
}

/** What views of their own this host can give to processes. */
export const namespaceItems = (host: HostSource): readonly HostItem[] => [
  kinds(host),
  user(host),
  time(host),
  limits(host),
]
