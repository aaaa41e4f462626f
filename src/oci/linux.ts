import type { PersonalityDomain } from '../linux/personality.ts'
import type { Propagation } from '../linux/mount-flags.ts'
import type { SeccompProfile } from '../linux/seccomp/profile.ts'
import { validateSeccompProfile } from '../linux/seccomp/profile.ts'
import type { LinuxDevice, LinuxNetDevice } from './devices.ts'
import { checkInterfaceName, readDevice, readNetDevice } from './devices.ts'
import type { Read } from './fields.ts'
import {
  absolutePath,
  arrayOf,
  Fields,
  line,
  mapOf,
  oneOf,
  placeOf,
  refuse,
  refuseTwice,
  show,
  string,
} from './fields.ts'
import type { LinuxIdMapping } from './id-mapping.ts'
import { readIdMappings } from './id-mapping.ts'
import type { LinuxIntelRdt } from './intel-rdt.ts'
import { readIntelRdt } from './intel-rdt.ts'
import type { LinuxMemoryPolicy } from './memory-policy.ts'
import { readMemoryPolicy } from './memory-policy.ts'
import type { LinuxNamespace, LinuxTimeOffsets } from './namespaces.ts'
import { readNamespaces, readTimeOffsets } from './namespaces.ts'
import type { LinuxResources } from './resources.ts'
import { readResources } from './resources.ts'

/** `linux.personality`; no flags are defined. */
export interface LinuxPersonality {
  readonly domain: PersonalityDomain
}

/** How mounts of the root reach other mount namespaces; with an r also those below it. */
export type RootfsPropagation = Propagation | `r${Propagation}`

/** `linux` of config.json (runtime-spec, config-linux.md). */
export interface Linux {
  /** What isn't named is the runtime's own. */
  readonly namespaces?: readonly LinuxNamespace[] | undefined
  readonly uidMappings?: readonly LinuxIdMapping[] | undefined
  readonly gidMappings?: readonly LinuxIdMapping[] | undefined
  readonly timeOffsets?: LinuxTimeOffsets | undefined
  readonly devices?: readonly LinuxDevice[] | undefined
  /** By the name on the host. */
  readonly netDevices?: Readonly<Record<string, LinuxNetDevice>> | undefined
  /** From the root of the hierarchies where it is absolute; or `SLICE:PREFIX:NAME` with the systemd driver. */
  readonly cgroupsPath?: string | undefined
  readonly resources?: LinuxResources | undefined
  readonly intelRdt?: LinuxIntelRdt | undefined
  readonly memoryPolicy?: LinuxMemoryPolicy | undefined
  /** Values by name, `net.ipv4.ip_forward` or `net/ipv4/ip_forward`. */
  readonly sysctl?: Readonly<Record<string, string>> | undefined
  readonly seccomp?: SeccompProfile | undefined
  readonly rootfsPropagation?: RootfsPropagation | undefined
  readonly maskedPaths?: readonly string[] | undefined
  readonly readonlyPaths?: readonly string[] | undefined
  readonly mountLabel?: string | undefined
  readonly personality?: LinuxPersonality | undefined
}

const PROPAGATIONS: readonly RootfsPropagation[] = [
  'shared',
  'slave',
  'private',
  'unbindable',
  'rshared',
  'rslave',
  'rprivate',
  'runbindable',
]

const DOMAINS: readonly PersonalityDomain[] = ['LINUX', 'LINUX32']

const readPersonality: Read<LinuxPersonality> = (value, at) => {
  const fields = new Fields(value, at)
  const flags = fields.optional('flags', arrayOf(string)) ?? []
  if (flags.length > 0) refuse(`${at}.flags`, `${show(flags[0])} is no flag: the specification defines none`)
  return { domain: fields.required('domain', oneOf(DOMAINS)) }
}

const readNetDevices: Read<Readonly<Record<string, LinuxNetDevice>>> = (value, at) => {
  const devices = mapOf(readNetDevice)(value, at)
  for (const name of Object.keys(devices)) checkInterfaceName(name, placeOf(at, name))
  return devices
}

const readDevices: Read<readonly LinuxDevice[]> = (value, at) => {
  const devices = arrayOf(readDevice)(value, at)
  refuseTwice(devices, at, ({ path }) => path)
  return devices
}

const readSysctl: Read<Readonly<Record<string, string>>> = (value, at) => {
  const sysctl = mapOf(string)(value, at)
  for (const name of Object.keys(sysctl)) {
    const parts = name.split(/[./]/)
    if (parts.length < 2 || parts.some((part) => part === '')) {
      refuse(placeOf(at, name), `${show(name)} is no name of a kernel parameter such as net.ipv4.ip_forward`)
    }
  }
  return sysctl
}

/** Go writes what is not set as "". */
const unlessEmpty =
  <T>(read: Read<T>): Read<T | undefined> =>
  (value, at) =>
    value === '' ? undefined : read(value, at)

/** Reads `linux`. Throws InputError at the first fault, naming its place. */
export const readLinux: Read<Linux> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    namespaces: fields.optional('namespaces', readNamespaces),
    uidMappings: fields.optional('uidMappings', readIdMappings),
    gidMappings: fields.optional('gidMappings', readIdMappings),
    timeOffsets: fields.optional('timeOffsets', readTimeOffsets),
    devices: fields.optional('devices', readDevices),
    netDevices: fields.optional('netDevices', readNetDevices),
    cgroupsPath: fields.optional('cgroupsPath', unlessEmpty(line)),
    resources: fields.optional('resources', readResources),
    intelRdt: fields.optional('intelRdt', readIntelRdt),
    memoryPolicy: fields.optional('memoryPolicy', readMemoryPolicy),
    sysctl: fields.optional('sysctl', readSysctl),
    seccomp: fields.optional('seccomp', validateSeccompProfile),
    rootfsPropagation: fields.optional('rootfsPropagation', unlessEmpty(oneOf(PROPAGATIONS))),
    maskedPaths: fields.optional('maskedPaths', arrayOf(absolutePath)),
    readonlyPaths: fields.optional('readonlyPaths', arrayOf(absolutePath)),
    mountLabel: fields.optional('mountLabel', unlessEmpty(line)),
    personality: fields.optional('personality', readPersonality),
  }
}
