import type { OomVictim } from '../oom-report.ts'
import type { PressureTrigger } from './pressure.ts'

/** A pressure file to watch, and how much waiting is worth a word. */
export interface CgroupPressureTrigger extends PressureTrigger {
  readonly resource: 'cpu' | 'memory' | 'io'
}

export const MEMORY_LEVELS = ['low', 'medium', 'critical'] as const

/** How hard memory is to reclaim (memory.pressure_level of version 1). */
export type MemoryLevel = (typeof MEMORY_LEVELS)[number]

/** What can be watched of a group. */
export type CgroupEventSource = 'counters' | 'memory' | 'killed' | 'pressure'

/** What happened to a group. */
export type CgroupEventBody =
  /** Always the first: the watch has begun. */
  | {
      readonly kind: 'watching'
      readonly populated: boolean
      readonly frozen: boolean
      /** What of the group can't be watched here, and why. */
      readonly missing: readonly { readonly source: CgroupEventSource; readonly reason: string }[]
    }
  /**
   * A counter of the kernel's has risen: `oom_kill` of memory.events, `max` of pids.events … (cgroup-v2.rst); of version 1
   * also `oom_kill` of memory.oom_control, and memory.failcnt.
   */
  | {
      readonly kind: 'counter'
      readonly file: string
      readonly counter: string
      /** By how much. */
      readonly count: number
      readonly total: number
    }
  /** A process of the group, or of one below it, was killed because memory ran out. */
  | ({ readonly kind: 'killed' } & OomVictim)
  /** There are processes in it or below it now, or no more. */
  | { readonly kind: 'populated'; readonly populated: boolean }
  | { readonly kind: 'frozen'; readonly frozen: boolean }
  /** Memory ran out (memory.oom_control of version 1): a process is killed, or all wait if that is switched off. */
  | { readonly kind: 'oom' }
  /** Memory is being reclaimed (version 1): so many notices of the highest level since the last event. */
  | { readonly kind: 'level'; readonly level: MemoryLevel; readonly count: number }
  /** Memory in use has crossed a threshold (version 1), up or down. Bytes. */
  | { readonly kind: 'threshold'; readonly threshold: number; readonly current: number; readonly above: boolean }
  /** Processes wait for longer than the trigger says, or no longer do. `avg10` is in percent. */
  | {
      readonly kind: 'pressure'
      readonly resource: CgroupPressureTrigger['resource']
      readonly line: PressureTrigger['kind']
      /** Microseconds. */
      readonly stall: number
      readonly window: number
      readonly above: boolean
      readonly avg10: number | undefined
    }
  /** The group is gone. Always the last. */
  | { readonly kind: 'removed' }

/** What happened to a group, and when: milliseconds since 1970. */
export type CgroupEvent = { readonly time: number } & CgroupEventBody

/** Where events come from: descriptors, and what to do when one can be read. */
export interface EventSource {
  readonly fds: readonly number[]
  take(fd: number): readonly CgroupEventBody[]
  close(): void
}
