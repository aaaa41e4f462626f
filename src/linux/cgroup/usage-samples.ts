import { setTimeout as sleep } from 'node:timers/promises'
import { InputError } from '../error.ts'
import { findCgroup } from './find.ts'
import type { CgroupLayout } from './layout.ts'
import { hierarchyOf, readCgroupLayout, requireHierarchy } from './layout.ts'
import { CONTROLLERS_OF } from './usage-counters.ts'
import { CgroupUsageReader } from './usage-reader.ts'
import type { CgroupPart, CgroupSample } from './usage.ts'
import { CGROUP_PARTS } from './usage.ts'

export interface CgroupSamplesOptions {
  /** The group at the top, named as for `findCgroup`; by default the root of all. */
  readonly group?: string | undefined
  /** How many levels below it are read, by default 2; asked again for each sample if it is a function. */
  readonly depth?: number | (() => number) | undefined
  /** What is read, by default all that this host keeps. What isn't asked for costs nothing. */
  readonly parts?: readonly CgroupPart[] | undefined
  /** Milliseconds between samples, by default 2000. */
  readonly delay?: number | undefined
  /** Ends the samples. */
  readonly signal?: AbortSignal | undefined
}

const LONGEST_DELAY = 2 ** 31 - 1

/** Waits, and says whether it is to go on. */
const pause = async (delay: number, signal: AbortSignal | undefined): Promise<boolean> => {
  try {
    await sleep(delay, undefined, { signal })
    return true
  } catch (error) {
    if (signal?.aborted === true) return false
    throw error
  }
}

/** A part that was asked for by name has to be somewhere; the root has its pressure in /proc, too. */
const checkParts = (layout: CgroupLayout, group: string, parts: readonly CgroupPart[]): void => {
  for (const part of parts) {
    const there = CONTROLLERS_OF[part].some((controller) => hierarchyOf(layout, controller) !== undefined)
    if (there || (part === 'pressure' && group === '/')) continue
    requireHierarchy(layout, CONTROLLERS_OF[part][0] ?? part, `read the ${part} of cgroups`)
  }
}

/**
 * What a group and those below it use, again and again until the signal is given or nobody asks any more. The first
 * sample comes at once and has no rates, since they are taken from one sample to the next. A group is read from one
 * file or two for each part, which stay open: see `CgroupUsageReader`.
 *
 * Throws {@link InputError} for a group or a part that isn't there or a delay that is none, `TareError` if the group is removed.
 */
export async function* cgroupSamples(options: CgroupSamplesOptions = {}): AsyncGenerator<CgroupSample, void, void> {
  const { group = '/', depth = 2, parts = CGROUP_PARTS, delay = 2000, signal } = options
  if (!(delay >= 1 && delay <= LONGEST_DELAY))
    throw new InputError({ operation: 'read cgroups every', target: `${delay} ms`, reason: 'it is no time to wait' })
  const layout = readCgroupLayout()
  const found = findCgroup(layout, group)
  checkParts(layout, found.name, options.parts ?? [])
  const reader = new CgroupUsageReader(found, parts)
  try {
    do yield reader.sample(typeof depth === 'function' ? depth() : depth)
    while (await pause(delay, signal))
  } finally {
    reader.close()
  }
}
