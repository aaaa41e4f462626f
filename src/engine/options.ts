import type { Readable } from 'node:stream'
import type { CgroupLimits } from '../linux/cgroup/limits.ts'
import type { IdMapping } from '../linux/idmap.ts'
import type { Propagation } from '../linux/mount-flags.ts'
import type { PublishedPort } from '../network/published-port.ts'
import type { SeccompProfile } from '../linux/seccomp/profile.ts'

/** A directory or file of the host in the container. */
export interface BindMount {
  readonly type?: 'bind'
  /** Path on the host; a relative one is taken from the working directory of this process. */
  readonly source: string
  /** Absolute path in the container; made if it isn't there. */
  readonly target: string
  /** Neither it nor what is mounted below it can be changed. Default false. */
  readonly readOnly?: boolean
  /** Whether mounts below the source come along. Default true. */
  readonly recursive?: boolean
  readonly propagation?: Propagation
  readonly noExec?: boolean
  /** Set-user-id programs and devices in it work. Default false. */
  readonly privileged?: boolean
  /** Whether the owners of its files are mapped to the container's ids, so that root's are root's. Default true. */
  readonly idmap?: boolean
}

/** An empty file system in memory. */
export interface TmpfsMount {
  readonly type: 'tmpfs'
  readonly target: string
  /** Bytes, or text with a unit: `64MiB`. */
  readonly size?: number | string
  /** Permission bits. Default 0o1777. */
  readonly mode?: number
  readonly readOnly?: boolean
  /** Default false: what is written there can't be run. */
  readonly exec?: boolean
}

/** Directories of the host on top of each other, and on top of all what the container changes. */
export interface OverlayMount {
  readonly type: 'overlay'
  /** Directories on the host, the uppermost first. */
  readonly lower: string | readonly string[]
  readonly target: string
  /** Directory in which changes are kept. Default: in memory, and gone with the container. */
  readonly keep?: string
  readonly readOnly?: boolean
}

export type MountOption = BindMount | TmpfsMount | OverlayMount

/** Bytes or operations in a second for one block device, named by its path: `/dev/sda`. */
export interface DeviceRate {
  readonly device: string
  /** Bytes, or text with a unit, or a count of operations. */
  readonly rate: number | string
}

/** What a container is like. Every wall is up unless an option takes it down. */
export interface ContainerOptions {
  /**
   * What it sees as `/`.
   * - `system` (default): the host's programs and libraries, read-only; all else is empty and its own.
   * - `host`: the host's tree; changes go to memory, or to `overlay`.
   * - a path: that directory.
   */
  readonly rootfs?: 'system' | 'host' | (string & {})
  /**
   * Where changes to the root go: `true`, to memory, and they are gone with the container; a path, to that directory.
   * Default for a directory: to the directory itself.
   */
  readonly overlay?: boolean | string
  /** The root can't be changed, apart from /tmp, /run, /var/tmp and what is mounted. Default false. */
  readonly readOnly?: boolean
  /** How much memory files in the root may take, where they are in memory. Default 1 GiB. */
  readonly rootSize?: number | string
  readonly mounts?: readonly MountOption[]
  /** Absolute path. Default `/`. */
  readonly workdir?: string
  /** Variables; nothing of this process's environment goes in by itself. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** `name`, `uid`, or either with `:group`. Default root, which has no power outside. */
  readonly user?: string | number
  /** Additional groups, by name or id. */
  readonly groups?: readonly (string | number)[]
  readonly hostname?: string
  /** Permission bits that new files don't get. Default 0o022. */
  readonly umask?: number
  /** Limits of each process by name (`nofile`), one value for both or [soft, hard]; `unlimited`. getrlimit(2) */
  readonly ulimits?: Readonly<Record<string, number | string | readonly [number | string, number | string]>>
  /** Kernel parameters of the container's own namespaces: `net.ipv4.ip_forward`. */
  readonly sysctls?: Readonly<Record<string, string | number>>
  /** More devices of the host: its path, or `host:container`. */
  readonly devices?: readonly string[]
  /** Capabilities besides, or instead of, the default ones; `ALL` for all. With or without `CAP_`. */
  readonly capAdd?: readonly string[]
  readonly capDrop?: readonly string[]
  /** The filter of system calls: `default`, none, or a profile in the OCI's form. */
  readonly seccomp?: 'default' | 'unconfined' | SeccompProfile
  /** No program gains privileges, by set-user-id or file capabilities. Default true. */
  readonly noNewPrivileges?: boolean
  /**
   * A PID 1 beside the program that reaps orphans, passes signals on, and ends with this process, whatever the program
   * does. Default true; false makes the program PID 1, in a pid namespace within the one whose PID 1 does the rest.
   */
  readonly init?: boolean
  /**
   * Which network it is in.
   * - `none` (default): its own, with only a loopback.
   * - `host`: the host's.
   * - `veth`: its own, with a link to the host, which translates addresses on the way out. Root only.
   */
  readonly network?: 'none' | 'host' | 'veth'
  /**
   * Ports of the host behind which ports of the container are: `8080:80`, `127.0.0.1:5353:53/udp`. With the network
   * `veth`.
   */
  readonly publish?: readonly (string | PublishedPort)[]
  /** Its IPv4 address, with the network `veth`: the host takes the one beside it. Default: one that is free. */
  readonly ip?: string
  /** IP addresses of name servers, with the network `veth`. Default: the host's own. */
  readonly dns?: readonly string[]
  /**
   * Whose ids the container's are.
   * - default: as root a range that belongs to nobody else; as another user, its own id as root's, or its range of
   *   subordinate ids where more than that is needed.
   * - `auto`: a range of ids, always.
   * - `host`: the caller's own ids. Root in the container is then root on the host, without most capabilities.
   * - `keep-id`: as `auto`, but the caller's id is the same inside.
   */
  readonly userns?: 'auto' | 'host' | 'keep-id'
  readonly uidMappings?: readonly IdMapping[]
  readonly gidMappings?: readonly IdMapping[]
  /** Bytes, or text with a unit: `256MiB`. Reached, and nothing to be reclaimed, the kernel kills. It gets no swap beyond it, unless `memorySwap` says so. */
  readonly memory?: number | string
  /** Memory and swap together; -1 for no limit. */
  readonly memorySwap?: number | string
  /** What is left to it when the host is short of memory. */
  readonly memoryReservation?: number | string
  /** How many processors it may use: 0.5. */
  readonly cpus?: number | string
  /** Share of processors when there aren't enough, 2 to 262144; default 1024. */
  readonly cpuShares?: number
  /** Which processors: `0-3,8`. */
  readonly cpusetCpus?: string
  readonly cpusetMems?: string
  /** How many processes and threads. */
  readonly pids?: number
  /** Share of block I/O, 10 to 1000; default 500. */
  readonly blkioWeight?: number
  readonly deviceReadBps?: readonly DeviceRate[]
  readonly deviceWriteBps?: readonly DeviceRate[]
  readonly deviceReadIops?: readonly DeviceRate[]
  readonly deviceWriteIops?: readonly DeviceRate[]
  /** Any limit that the kernel has, in bytes and microseconds; those above are laid over it. */
  readonly cgroup?: CgroupLimits
}

/** What standard input is: nothing (default), this process's own, a stream to write to, this text, bytes or stream. */
export type StdinOption = 'ignore' | 'inherit' | 'pipe' | { readonly text: string } | Uint8Array | Readable
/** Where output goes: to a stream that is also collected (default), to this process's own, or nowhere. */
export type OutputOption = 'pipe' | 'inherit' | 'ignore'

/** How one program is run. */
export interface ProgramOptions {
  /** What it sees as its own name; a shell takes a `-` in front for a login. Default: the command's first word. */
  readonly argv0?: string
  readonly stdin?: StdinOption
  readonly stdout?: OutputOption
  readonly stderr?: OutputOption
  /** A terminal for it: standard input, output and error are one. Default false. */
  readonly tty?: boolean | { readonly columns: number; readonly rows: number }
  /** Milliseconds, or text with a unit: `5s`. Then everything in the container is killed. */
  readonly timeout?: number | string
  /** Aborted, everything is killed, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Collect output for the result. Default true; false to read the streams yourself. */
  readonly buffer?: boolean
  /** How many bytes of each output are collected; more, and everything is killed. Default 16 MiB. */
  readonly maxBuffer?: number | string
}

export interface RunOptions extends ContainerOptions, ProgramOptions {}

/** Options of a program in a running container. */
export interface ExecOptions extends ProgramOptions {
  readonly workdir?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly user?: string | number
  readonly groups?: readonly (string | number)[]
}

/** Names of all options, for telling what was mistyped. */
export const CONTAINER_OPTIONS: readonly (keyof ContainerOptions)[] = [
  'rootfs',
  'overlay',
  'readOnly',
  'rootSize',
  'mounts',
  'workdir',
  'env',
  'user',
  'groups',
  'hostname',
  'umask',
  'ulimits',
  'sysctls',
  'devices',
  'capAdd',
  'capDrop',
  'seccomp',
  'noNewPrivileges',
  'init',
  'network',
  'publish',
  'ip',
  'dns',
  'userns',
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

export const PROGRAM_OPTIONS: readonly (keyof ProgramOptions)[] = [
  'argv0',
  'stdin',
  'stdout',
  'stderr',
  'tty',
  'timeout',
  'signal',
  'buffer',
  'maxBuffer',
]
