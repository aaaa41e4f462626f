import type { IdMapping } from '../../linux/idmap.ts'
import type { Propagation } from '../../linux/mount-flags.ts'
import type { NamespaceKind } from '../../linux/namespace.ts'
import type { CapabilitySet, ProcessCapabilities } from '../../linux/capability.ts'
import type { PivotSpec } from './pivot-spec.ts'

/** One setns(2): a descriptor of a namespace, or a pidfd, and of which kinds. */
export interface EnterSpec {
  readonly fd: number
  readonly kinds: readonly NamespaceKind[]
  /** Whose they are, for people: `process 812`, `/run/netns/blue`. */
  readonly of: string
}

/**
 * Who writes an id map, and when.
 * - `self`: the program's own process, in its new namespace: one id, its own.
 * - `caller`: Tare, from outside, where it has the power to.
 * - `helper`: newuidmap(1) and newgidmap(1).
 */
export interface IdMapSpec {
  readonly mappings: readonly IdMapping[]
  readonly by: 'self' | 'caller' | 'helper'
}

export interface UnshareSpec {
  readonly kinds: readonly NamespaceKind[]
  /** Who makes them. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  readonly uids: IdMapSpec | undefined
  readonly gids: IdMapSpec | undefined
  readonly setgroups: 'allow' | 'deny' | undefined
  /** Seconds that the clocks are ahead of the caller's. */
  readonly monotonic: number | undefined
  readonly boottime: number | undefined
  /** Undefined: as the kernel leaves it. */
  readonly propagation: Propagation | undefined
  /** Where a new proc is mounted. */
  readonly proc: string | undefined
  /** Where a binfmt_misc of its own is mounted, and what is registered there. */
  readonly binfmt: BinfmtSpec | undefined
  /** Files of the caller on which the namespaces are mounted, so that they stay. */
  readonly persistent: Readonly<Partial<Record<NamespaceKind, string>>>
}

export interface BinfmtSpec {
  readonly path: string
  readonly register: string | undefined
}

/** A directory: by a path in the program's own view, or by a descriptor from before. */
export type DirectorySpec =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'descriptor'; readonly fd: number; readonly of: string }

/** A control group's file by which a process gets into it, open for writing. */
export interface JoinSpec {
  readonly fd: number
  readonly path: string
}

export interface LaunchSpec {
  readonly args: readonly string[]
  readonly argv0: string | undefined
  readonly env: readonly string[]
  readonly joins: readonly JoinSpec[]
  readonly enter: readonly EnterSpec[]
  readonly unshare: UnshareSpec | undefined
  readonly root: DirectorySpec | undefined
  readonly pivot: PivotSpec | undefined
  readonly workdir: DirectorySpec | undefined
  /** Whether the program is a child of the process that was moved: only then it is in a new pid namespace. */
  readonly fork: boolean
  readonly uid: number | undefined
  readonly gid: number | undefined
  readonly groups: readonly number[] | undefined
  /**
   * Where other namespaces are entered, setgroups(2) may be denied there: then the groups are dropped before that too.
   * - `now`: once, and it must not fail.
   * - `either`: before and after, and one of them must not fail.
   * - `maybe`: before and after, and where neither is allowed they stay.
   */
  readonly dropGroups: 'now' | 'either' | 'maybe'
  /** All five sets, as they are to be when the program begins; undefined: whatever they come to be. */
  readonly capabilities: ProcessCapabilities | undefined
  /** What has to be taken from the bounding set. What isn't in it can be left alone, which takes no privilege. */
  readonly dropped: CapabilitySet
  /** What is permitted becomes ambient too, and so outlives the exec of a program that root doesn't run. */
  readonly keepCapabilities: boolean
  readonly securebits: number | undefined
  /** Whether to set the capabilities or securebits takes CAP_SETPCAP. */
  readonly setpcap: boolean
  readonly noNewPrivileges: boolean
  readonly umask: number | undefined
  /** What signal the program gets when the caller ends. */
  readonly parentDeathSignal: number | undefined
}
