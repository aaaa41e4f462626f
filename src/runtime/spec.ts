import type { IdMapping } from '../linux/idmap.ts'
import type { Propagation } from '../linux/mount-flags.ts'
import type { CgroupLimits } from '../linux/cgroup/limits.ts'

/**
 * Whose ids the container's are.
 * - `host`: the caller's own user namespace; root in the container is the caller's root.
 * - `mapped`: a new user namespace with these mappings. `helper`: they are written by newuidmap(1) and newgidmap(1).
 */
export type UserNamespace =
  | { readonly kind: 'host' }
  | {
      readonly kind: 'mapped'
      readonly uids: readonly IdMapping[]
      readonly gids: readonly IdMapping[]
      readonly helper: boolean
    }

/** What a tree of files that is made from nothing consists of. Paths are relative to it, without `.` or `..`. */
export type Entry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | { readonly kind: 'file'; readonly path: string; readonly content: string }

/** The layers of an overlay: the lowest last. */
export interface Layers {
  readonly lower: readonly string[]
  /** The directory in which changes are kept; without it they are in memory and go with the container. */
  readonly kept?: string | undefined
  /** How much memory, in bytes, changes may take. */
  readonly size: number
}

/**
 * The root file system.
 * - `made`: a tmpfs of at most `size` bytes with these entries; mounts bring the rest.
 * - `directory`: this directory of the host itself.
 * - `overlay`: directories of the host, and above them what the container changes.
 */
export type Root =
  | { readonly kind: 'made'; readonly entries: readonly Entry[]; readonly size: number }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'overlay'; readonly layers: Layers }

/** Which network a container is in. */
export type Network = 'none' | 'host' | 'veth'

/** What is mounted at `target`, an absolute path in the container. */
export type Mount =
  | {
      readonly kind: 'bind'
      readonly source: string
      readonly target: string
      /** Attributes by mount_setattr(2), of this mount or, `recursive`, of all below it too. */
      readonly attributes: number
      readonly recursive: boolean
      /** Whether the target has to be made, and as what. */
      readonly make: 'directory' | 'file'
      readonly propagation?: Propagation | undefined
      /** Whether the owners of its files are mapped into the user namespace, or left as they are. */
      readonly idmap: boolean
    }
  | {
      readonly kind: 'filesystem'
      readonly type: string
      readonly target: string
      readonly attributes: number
      readonly options: readonly (readonly [key: string, value: string | undefined])[]
    }
  | { readonly kind: 'overlay'; readonly target: string; readonly layers: Layers; readonly attributes: number }
  /** A file with this content, in memory. */
  | { readonly kind: 'file'; readonly target: string; readonly content: string; readonly attributes: number }

export interface Device {
  /** Absolute path in the container. */
  readonly path: string
  readonly type: 'c' | 'b'
  readonly major: number
  readonly minor: number
  readonly mode: number
  /** The host's node, which is bind-mounted where mknod(2) isn't allowed. */
  readonly source: string
}

export interface Rlimit {
  readonly resource: number
  readonly name: string
  readonly soft: bigint
  readonly hard: bigint
}

export interface ProcessSpec {
  /** Empty: PID 1 alone, for programs that come and go. */
  readonly args: readonly string[]
  /** What it is told that it is called, where that isn't the first of its words. */
  readonly argv0?: string | undefined
  readonly env: readonly string[]
  readonly cwd: string
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly umask: number
  /** Masks, bit n for capability n. */
  readonly capabilities: Capabilities
  readonly noNewPrivileges: boolean
  readonly rlimits: readonly Rlimit[]
  readonly terminal: boolean
  /** Of the terminal, in characters. */
  readonly size?: { readonly columns: number; readonly rows: number } | undefined
  /**
   * The terminal is the console of a machine: nobody's controlling terminal until a login makes it its own, and there
   * also while no process has it open. `links`: other names in /dev by which it goes.
   */
  readonly console?: { readonly links: readonly string[] } | undefined
  /** Whether it goes on when the process that has started it ends. */
  readonly outlivesStarter?: boolean | undefined
  /** A PID 1 beside the program, which reaps orphans and passes signals on. */
  readonly init: boolean
  readonly seccomp?: SeccompSpec | undefined
  /** Whether it gets a session keyring of its own; needless where the filter refuses all calls to do with keys. */
  readonly newKeyring: boolean
}

export interface Capabilities {
  readonly bounding: bigint
  readonly permitted: bigint
  readonly effective: bigint
  readonly inheritable: bigint
  readonly ambient: bigint
}

export interface SeccompSpec {
  readonly program: Uint8Array
  readonly flags: number
}

export interface CgroupSpec {
  /** Relative to the parent group of every hierarchy. */
  readonly name: string
  readonly limits: CgroupLimits
  /**
   * The group of version 2 becomes the container's own, to divide as it likes, with these controllers. It is the only
   * one that it sees.
   */
  readonly delegated?: readonly string[] | undefined
}

/** A container, decided in full: nothing in it depends on the host any more. */
export interface ContainerSpec {
  readonly root: Root
  readonly readOnlyRoot: boolean
  readonly mounts: readonly Mount[]
  readonly devices: readonly Device[]
  readonly process: ProcessSpec
  readonly hostname: string
  readonly userNamespace: UserNamespace
  /**
   * Its own network with only a loopback, or the host's, or its own with a link to the host (veth(4)): that is made from
   * outside, while it waits.
   */
  readonly network: Network
  readonly sysctls: readonly (readonly [name: string, value: string])[]
  readonly maskedPaths: readonly string[]
  readonly readonlyPaths: readonly string[]
  /** Paths below those that can be written to all the same. */
  readonly writablePaths?: readonly string[] | undefined
  /** Files of /proc and /sys in whose place it sees others, and what is in them. */
  readonly replacedFiles?: readonly (readonly [path: string, content: string])[] | undefined
  readonly cgroup?: CgroupSpec | undefined
}
