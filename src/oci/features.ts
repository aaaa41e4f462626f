import { CAPABILITIES } from '../linux/capability.ts'
import { mountOptionWords } from '../linux/mount-options.ts'
import { SECCOMP_ACTIONS } from '../linux/seccomp/action.ts'
import { SECCOMP_ARCHITECTURES } from '../linux/seccomp/architectures.ts'
import type { SeccompFlag } from '../linux/seccomp/profile.ts'
import { SECCOMP_FLAGS, SECCOMP_OPERATORS } from '../linux/seccomp/profile.ts'
import { HOOK_NAMES } from './hooks.ts'
import { MEMORY_POLICY_FLAG_NAMES, MEMORY_POLICY_MODE_NAMES } from './memory-policy.ts'
import { NAMESPACE_TYPES } from './namespaces.ts'
import { OCI_VERSION, OCI_VERSION_MIN } from './version.ts'

interface Enabled {
  readonly enabled: boolean
}

/** What of `linux` a runtime can do (runtime-spec, features-linux.md). */
export interface LinuxFeatures {
  readonly namespaces: readonly string[]
  readonly capabilities: readonly string[]
  readonly cgroup: {
    readonly v1: boolean
    readonly v2: boolean
    readonly systemd: boolean
    readonly systemdUser: boolean
    readonly rdma: boolean
  }
  readonly seccomp: Enabled & {
    readonly actions: readonly string[]
    readonly operators: readonly string[]
    readonly archs: readonly string[]
    readonly knownFlags: readonly string[]
    readonly supportedFlags: readonly string[]
  }
  readonly apparmor: Enabled
  readonly selinux: Enabled
  readonly intelRdt: Enabled & { readonly schemata: boolean; readonly monitoring: boolean }
  readonly memoryPolicy: { readonly modes: readonly string[]; readonly flags: readonly string[] }
  readonly mountExtensions: { readonly idmap: Enabled }
  readonly netDevices: Enabled
}

/** What a runtime can do, whatever the host can (runtime-spec, features.md). */
export interface Features {
  readonly ociVersionMin: string
  readonly ociVersionMax: string
  readonly hooks: readonly string[]
  readonly mountOptions: readonly string[]
  readonly linux: LinuxFeatures
}

/** What of the specification a runtime lacks, so that its features are said as they are. */
export interface Lacking {
  readonly systemdCgroup: boolean
  readonly seccompNotify: boolean
  readonly apparmor: boolean
  readonly selinux: boolean
  readonly intelRdt: boolean
  readonly memoryPolicy: boolean
  readonly idmap: boolean
  readonly tmpcopyup: boolean
  readonly netDevices: boolean
}

/** The features of a runtime that has all but this, on a kernel that has these flags of seccomp(2). */
export const features = (lacking: Lacking, supportedFlags: readonly SeccompFlag[]): Features => {
  const missing = [
    ...(lacking.idmap ? ['idmap', 'ridmap'] : []),
    ...(lacking.tmpcopyup ? ['tmpcopyup'] : []),
    'remount',
  ]
  return {
    ociVersionMin: OCI_VERSION_MIN,
    ociVersionMax: OCI_VERSION,
    hooks: HOOK_NAMES,
    mountOptions: mountOptionWords().filter((word) => !missing.includes(word)),
    linux: {
      namespaces: NAMESPACE_TYPES.toSorted(),
      capabilities: CAPABILITIES.map(({ name }) => name),
      cgroup: {
        v1: true,
        v2: true,
        systemd: !lacking.systemdCgroup,
        systemdUser: !lacking.systemdCgroup,
        rdma: true,
      },
      seccomp: {
        enabled: true,
        actions: SECCOMP_ACTIONS.filter((action) => action !== 'SCMP_ACT_NOTIFY' || !lacking.seccompNotify),
        operators: SECCOMP_OPERATORS,
        archs: SECCOMP_ARCHITECTURES,
        knownFlags: SECCOMP_FLAGS,
        supportedFlags,
      },
      apparmor: { enabled: !lacking.apparmor },
      selinux: { enabled: !lacking.selinux },
      intelRdt: { enabled: !lacking.intelRdt, schemata: !lacking.intelRdt, monitoring: !lacking.intelRdt },
      memoryPolicy: lacking.memoryPolicy
        ? { modes: [], flags: [] }
        : { modes: MEMORY_POLICY_MODE_NAMES, flags: MEMORY_POLICY_FLAG_NAMES },
      mountExtensions: { idmap: { enabled: !lacking.idmap } },
      netDevices: { enabled: !lacking.netDevices },
    },
  }
}
