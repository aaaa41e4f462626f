import type { HostItem, HostSource } from './host-source.ts'
import { callsItem, readNumber, readWords } from './host-source.ts'

/** What profiles ask of a filter; user_notif hands a call to another process to decide. */
const ACTIONS = ['kill_process', 'kill_thread', 'trap', 'errno', 'user_notif', 'trace', 'log', 'allow']

const seccomp = (host: HostSource): HostItem => {
  const item = { id: 'seccomp', name: 'seccomp filters', group: 'security' } as const
  const actions = readWords(host, '/proc/sys/kernel/seccomp/actions_avail')
  if (actions === undefined) {
    return {
      ...item,
      state: 'no',
      detail: 'not in this kernel',
      remedy: 'Use a kernel built with CONFIG_SECCOMP_FILTER.',
    }
  }
  const missing = ACTIONS.filter((action) => !actions.includes(action))
  if (missing.length === 0) return { ...item, state: 'yes', detail: actions.join(', ') }
  return { ...item, state: 'limited', detail: `missing: ${missing.join(', ')}`, remedy: 'Use Linux 5.0 or newer.' }
}

const LANDLOCK_CREATE_RULESET_VERSION = 1

const landlock = (host: HostSource): HostItem => {
  const item = { id: 'landlock', name: 'Landlock', group: 'security' } as const
  const abi = host.probe('landlock_create_ruleset', null, 0, LANDLOCK_CREATE_RULESET_VERSION)
  if (abi > 0) return { ...item, state: 'yes', detail: `ABI ${abi}` }
  const remedy = 'Boot with "landlock" in the list of lsm= on the kernel command line, or use a kernel that has it.'
  return { ...item, state: 'no', detail: 'not in this kernel, or not switched on', remedy }
}

/** Linux Security Modules by number (linux/lsm.h); 100 is the first. */
const LSM_NAMES = [
  'capability', 'selinux', 'smack', 'tomoyo', 'apparmor', 'yama', 'loadpin', 'safesetid', 'lockdown', 'bpf',
  'landlock', 'ima', 'evm', 'ipe',
] // prettier-ignore

const LSM_FIRST = 100

/** lsm_list_modules(2), since Linux 6.8. */
const listModules = (host: HostSource): readonly string[] | undefined => {
  const ids = new BigUint64Array(64)
  const size = new Uint32Array([ids.byteLength])
  const count = host.probe('lsm_list_modules', ids, size, 0)
  if (count < 0) return undefined
  return Array.from(ids.subarray(0, count), (id) => LSM_NAMES[Number(id) - LSM_FIRST] ?? String(id))
}

const modules = (host: HostSource): HostItem => {
  const item = { id: 'lsm', name: 'security modules', group: 'security' } as const
  const listed = host.read('/sys/kernel/security/lsm')?.trim()
  const names = listed === undefined || listed === '' ? listModules(host) : listed.split(',')
  if (names !== undefined) return { ...item, state: 'yes', detail: names.join(', ') }
  const remedy = 'mount -t securityfs none /sys/kernel/security'
  return { ...item, state: 'limited', detail: 'the kernel does not say which', remedy }
}

const KEYCTL_GET_KEYRING_ID = 0
const KEY_SPEC_SESSION_KEYRING = -3

const keyring = (host: HostSource): HostItem => {
  const item = { id: 'keyring', name: 'keyrings', group: 'security' } as const
  const probe = callsItem(item, host, [['keyctl', KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0]], '2.6')
  if (probe.state !== 'yes')
    return { ...probe, remedy: 'Nothing to do: there are no keys that a container could reach.' }
  const path = host.uid === 0 ? '/proc/sys/kernel/keys/root_maxkeys' : '/proc/sys/kernel/keys/maxkeys'
  const most = readNumber(host, path)
  return { ...item, state: 'yes', detail: most === undefined ? 'on' : `at most ${most} keys, one for each container` }
}

/** What narrows down a container's processes besides namespaces and capabilities. */
export const securityItems = (host: HostSource): readonly HostItem[] => [
  seccomp(host),
  landlock(host),
  modules(host),
  keyring(host),
]
