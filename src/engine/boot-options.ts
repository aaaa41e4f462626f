import type { ContainerOptions } from './options.ts'

/** Options of a container that a booted system has too. */
type Shared =
  | 'rootSize'
  | 'mounts'
  | 'hostname'
  | 'ulimits'
  | 'sysctls'
  | 'devices'
  | 'capAdd'
  | 'capDrop'
  | 'seccomp'
  | 'network'
  | 'publish'
  | 'ip'
  | 'dns'
  | 'uidMappings'
  | 'gidMappings'
  | 'memory'
  | 'memorySwap'
  | 'memoryReservation'
  | 'cpus'
  | 'cpuShares'
  | 'cpusetCpus'
  | 'cpusetMems'
  | 'pids'
  | 'blkioWeight'
  | 'deviceReadBps'
  | 'deviceWriteBps'
  | 'deviceReadIops'
  | 'deviceWriteIops'
  | 'cgroup'

const SHARED: readonly Shared[] = [
  'rootSize',
  'mounts',
  'hostname',
  'ulimits',
  'sysctls',
  'devices',
  'capAdd',
  'capDrop',
  'seccomp',
  'network',
  'publish',
  'ip',
  'dns',
  'uidMappings',
  'gidMappings',
  'memory',
  'memorySwap',
  'memoryReservation',
  'cpus',
  'cpuShares',
  'cpusetCpus',
  'cpusetMems',
  'pids',
  'blkioWeight',
  'deviceReadBps',
  'deviceWriteBps',
  'deviceReadIops',
  'deviceWriteIops',
  'cgroup',
]

/** What a system is booted with. */
export interface BootOptions extends Pick<ContainerOptions, Shared> {
  /** Changes go to memory, `rootSize` at most, and are gone at its end. Default false: they are kept. */
  readonly ephemeral?: boolean
  /** Absolute path in the system of what is to be PID 1. Default: its own init. */
  readonly init?: string
  /** What else init is told, as a kernel's command line would: `systemd.unit=rescue.target`, `single`. */
  readonly arguments?: readonly string[]
  /** Variables for init, which systemd passes on to no service. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The size of the console, in characters. */
  readonly console?: { readonly columns: number; readonly rows: number }
}

export const BOOT_OPTIONS: readonly string[] = [...SHARED, 'ephemeral', 'init', 'arguments', 'env', 'console']
