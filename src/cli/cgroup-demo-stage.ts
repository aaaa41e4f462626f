import { existsSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '../index.ts'
import { launch } from '../index.ts'
import type { Cgroup, CgroupEvent, CgroupLayout, CgroupLimits, CgroupPart, CgroupUsage } from '../linux/index.ts'
import { cgroupEvents, cgroupParent, cgroupSamples, cgroupTree, createCgroup } from '../linux/index.ts'
import type { PlotPhase } from './plot.ts'

/** A stretch of a chapter, measured. */
export interface Phase extends PlotPhase {
  /** What the kernel has counted in it, by what it is. */
  readonly figures: Readonly<Record<string, number>>
}

/** What a chapter has come to. */
export interface Outcome {
  readonly phases: readonly Phase[]
  /** What the values of the phases are, for the axis. */
  readonly format: (value: number) => string
  /** What was seen, a sentence each. */
  readonly findings: readonly string[]
}

/** One thing that control groups do. */
export interface Chapter {
  readonly id: string
  readonly title: string
  /** What is shown, and why it is so. */
  readonly text: string
  /** What a person would type. */
  readonly commands: readonly string[]
  /** By version 2's names; without them the chapter is skipped. */
  readonly controllers: readonly string[]
  run(stage: Stage): Promise<Outcome>
}

/** How often a phase is looked at. */
const SAMPLES = 40

/** How long it is listened for what a load has caused, in ms. */
const AFTERMATH = 100

/** Why a chapter can't be played here. */
export class Skipped extends Error {}

/** What its groups are called, before the id of this process. */
const PREFIX = 'tare-demo-'

/** No load runs longer than this, whatever happens, in ms. */
const LONGEST_LOAD = 15_000

const isRoot = process.geteuid?.() === 0

/** Where chapters are played: it makes groups, starts loads in them, and takes all of it away again. */
export class Stage {
  readonly layout: CgroupLayout
  /** A directory to write to. */
  readonly scratch: string
  readonly signal: AbortSignal
  readonly #seconds: number
  readonly #groups: Cgroup[] = []
  readonly #loads: Program[] = []
  readonly #files: string[] = []

  /** `seconds`: how long a phase is. */
  constructor(layout: CgroupLayout, scratch: string, seconds: number, signal: AbortSignal) {
    this.layout = layout
    this.scratch = scratch
    this.signal = signal
    this.#seconds = seconds
  }

  /** Whether there is so little time that less has to do. */
  get quick(): boolean {
    return this.#seconds < 1
  }

  /** A group of its own for a chapter. */
  group(name: string, controllers: readonly string[], limits: CgroupLimits = {}): Cgroup {
    const path = `${cgroupParent(this.layout, controllers)}/${PREFIX}${process.pid}-${name}`
    const group = createCgroup(this.layout, path, limits, { controllers })
    this.#groups.push(group)
    return group
  }

  /**
   * Runs a script of sh(1) in a group. As root it is PID 1 of a pid namespace, so that nothing of it outlives this
   * process; and whoever started it, it is killed when its time is up.
   */
  load(group: Cgroup, script: string): Program {
    const load = launch(['sh', '-c', script], {
      cgroups: group.directories.map(({ directory }) => directory),
      ...(isRoot ? { unshare: { kinds: ['pid'] }, fork: true } : {}),
      parentDeathSignal: 'SIGKILL',
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
      timeout: LONGEST_LOAD,
    })
    // How it ends is no news: it is meant to be killed.
    load.catch(() => undefined)
    this.#loads.push(load)
    return load
  }

  /** A file of this name in the scratch directory, to be removed at the end. */
  file(name: string): string {
    const path = `${this.scratch}/${PREFIX}${process.pid}-${name}`
    this.#files.push(path)
    return path
  }

  /**
   * Looks at a group again and again for the length of a phase; or, if there is a `load`, until that has ended, however
   * long it takes.
   */
  async watch(
    group: Cgroup,
    parts: readonly CgroupPart[],
    pick: (usage: CgroupUsage) => number | undefined,
    load?: Promise<unknown>,
  ): Promise<readonly number[]> {
    const over = new AbortController()
    const stop = (): void => over.abort()
    const timer = setTimeout(stop, load === undefined ? this.#seconds * 1000 : LONGEST_LOAD)
    load?.then(stop, stop)
    const signal = AbortSignal.any([over.signal, this.signal])
    const delay = (this.#seconds * 1000) / SAMPLES
    const values: number[] = []
    try {
      for await (const { groups } of cgroupSamples({ group: group.name, depth: 0, parts, delay, signal })) {
        const value = groups[0] === undefined ? undefined : pick(groups[0])
        if (value !== undefined) values.push(value)
      }
    } finally {
      clearTimeout(timer)
    }
    this.signal.throwIfAborted()
    return values
  }

  /** What happens to a group while something is done. */
  async listen(group: Cgroup, act: () => Promise<void>): Promise<readonly CgroupEvent[]> {
    const heard: CgroupEvent[] = []
    const over = new AbortController()
    const events = cgroupEvents(group.name, { pressure: [], signal: over.signal })
    // The first says that the watch has begun.
    await events.next()
    const listening = (async (): Promise<void> => {
      for await (const event of events) heard.push(event)
    })()
    try {
      await act()
      // The kernel counts a kill a moment after it has told of it.
      await sleep(AFTERMATH, undefined, { signal: this.signal })
    } finally {
      over.abort()
      await listening
    }
    return heard
  }

  /** Takes away the groups of a demo that was killed. What was frozen then is still there. */
  static async clearStale(layout: CgroupLayout, parent: string): Promise<void> {
    for (const group of cgroupTree(layout, `/${parent}`)) {
      const leaf = group.name.slice(group.name.lastIndexOf('/') + 1)
      const owner = leaf.startsWith(PREFIX) ? /^\d+/.exec(leaf.slice(PREFIX.length))?.[0] : undefined
      if (owner === undefined || existsSync(`/proc/${owner}`)) continue
      await group.kill()
      await group.remove()
    }
  }

  /** Ends all loads and takes groups and files away. */
  async clear(): Promise<void> {
    for (const load of this.#loads.splice(0)) load.kill('SIGKILL')
    for (const group of this.#groups.splice(0)) {
      await group.kill()
      await group.remove()
    }
    for (const file of this.#files.splice(0)) rmSync(file, { force: true })
  }
}
