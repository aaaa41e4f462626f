import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { TareError } from '../error.ts'
import { getRlimit } from '../rlimit.ts'
import type { Cgroup } from './cgroup.ts'
import type { FileBudget } from './kept-file.ts'
import { KeptFile, fileBudget } from './kept-file.ts'
import type { CgroupHierarchy } from './layout.ts'
import { hierarchyOf } from './layout.ts'
import { CONTROLLERS_OF, readCounters } from './usage-counters.ts'
import type { CounterSource } from './usage-counters.ts'
import type { CgroupCounters, CgroupPart, CgroupSample, CgroupUsage } from './usage.ts'
import { usageBetween } from './usage.ts'

/** How many files stay open between samples, at most: each costs the kernel some 5 KiB. */
const KEPT_FILES = 2048

/** And no more than half of what this process may have open. */
const keptFiles = (): number => {
  const { soft } = getRlimit('RLIMIT_NOFILE')
  return Math.min(KEPT_FILES, Math.floor(Number(soft) / 2))
}

/** The namespace in which the host's own root is the root (PROC_CGROUP_INIT_INO of the kernel). */
const INITIAL_NAMESPACE = 'cgroup:[4026531835]'

const inInitialNamespace = (): boolean => {
  try {
    return readlinkSync('/proc/self/ns/cgroup') === INITIAL_NAMESPACE
  } catch {
    return false // no /proc: then nothing is read from there either
  }
}

/** A group's directory in one hierarchy, as it was when it was last looked at. */
interface Directory {
  readonly hierarchy: CgroupHierarchy
  readonly path: string
  readonly inode: number
}

/** What is remembered of a group from one sample to the next. */
class Node {
  readonly files = new Map<string, KeptFile>()
  directories: readonly Directory[] = []
  counters: CgroupCounters | undefined

  /** Forgets what belongs to a directory that was removed, and perhaps made again. */
  update(directories: readonly Directory[]): void {
    const same =
      directories.length === this.directories.length &&
      directories.every(({ inode }, index) => inode === this.directories[index]?.inode)
    if (same) return
    this.close()
    this.directories = directories
    this.counters = undefined
  }

  close(): void {
    for (const file of this.files.values()) file.close()
    this.files.clear()
  }
}

/** Reads samples of a group and those below it. Close it when it isn't needed. */
export class CgroupUsageReader {
  readonly #group: Cgroup
  readonly #parts: readonly CgroupPart[]
  readonly #budget: FileBudget
  readonly #hierarchies: readonly CgroupHierarchy[]
  readonly #nodes = new Map<string, Node>()
  readonly #hostFiles = new Map<string, KeptFile>()
  readonly #isHost: boolean
  #last: number | undefined

  /** `keep`: how many files may stay open. */
  constructor(group: Cgroup, parts: readonly CgroupPart[], keep: number = keptFiles()) {
    this.#group = group
    this.#parts = parts
    this.#budget = fileBudget(keep)
    const controllers = parts.flatMap((part) => CONTROLLERS_OF[part])
    const all = controllers.map((controller) => hierarchyOf(group.layout, controller))
    this.#hierarchies = [...new Set(all.filter((hierarchy) => hierarchy !== undefined))]
    this.#isHost =
      group.name === '/' && group.layout.hierarchies.every(({ root }) => root === '/') && inInitialNamespace()
  }

  /** A sample down to so many levels below the group. Throws {@link TareError} if the group was removed. */
  sample(depth: number): CgroupSample {
    const now = performance.now()
    const seconds = this.#last === undefined ? 0 : (now - this.#last) / 1000
    this.#last = now
    const start = this.#group.name === '/' ? '' : this.#group.name
    const places = this.#hierarchies.flatMap((hierarchy) => this.#look(hierarchy, start))
    const gone =
      places.length === 0 && this.#group.directories.every(({ directory }) => inodeOf(directory) === undefined)
    if (gone) throw new TareError({ operation: 'read cgroup', target: this.#group.name, reason: 'it was removed' })
    const groups: CgroupUsage[] = []
    this.#walk(start, places, { level: 0, depth, seconds }, groups)
    this.#forget(new Set(groups.map(({ name }) => name)))
    return { time: Date.now(), interval: seconds, groups }
  }

  close(): void {
    this.#forget(new Set())
    for (const file of this.#hostFiles.values()) file.close()
    this.#hostFiles.clear()
  }

  #forget(present: ReadonlySet<string>): void {
    for (const [name, node] of this.#nodes) {
      if (present.has(name)) continue
      node.close()
      this.#nodes.delete(name)
    }
  }

  #look(hierarchy: CgroupHierarchy, path: string): readonly (Directory & { readonly children: number })[] {
    const directory = hierarchy.mountPoint + path
    const stat = statSync(directory, { throwIfNoEntry: false })
    // A directory of kernfs has a link for itself, its name and each child.
    return stat === undefined ? [] : [{ hierarchy, path: directory, inode: stat.ino, children: stat.nlink - 2 }]
  }

  #walk(
    path: string,
    places: readonly (Directory & { readonly children: number })[],
    at: { readonly level: number; readonly depth: number; readonly seconds: number },
    groups: CgroupUsage[],
  ): void {
    const { level, depth, seconds } = at
    const name = path === '' ? '/' : path
    const node = this.#nodes.get(name) ?? new Node()
    this.#nodes.set(name, node)
    node.update(places)
    const counters = readCounters(this.#parts, this.#source(node, name === '/' && this.#isHost))
    const parents = places.filter(({ children }) => children > 0)
    const collapsed = level >= depth && parents.length > 0
    groups.push({ name, level, collapsed, ...usageBetween(node.counters, counters, seconds) })
    node.counters = counters
    if (level >= depth) return
    for (const child of childNames(parents)) {
      const below = parents.flatMap(({ hierarchy }) => this.#look(hierarchy, `${path}/${child}`))
      // One that was removed meanwhile is in no hierarchy.
      if (below.length > 0) this.#walk(`${path}/${child}`, below, { level: level + 1, depth, seconds }, groups)
    }
  }

  #source(node: Node, isHost: boolean): CounterSource {
    const { layout } = this.#group
    return {
      version: (controller) => hierarchyOf(layout, controller)?.version,
      read: (controller, file) => {
        const hierarchy = hierarchyOf(layout, controller)
        const directory = node.directories.find((place) => place.hierarchy === hierarchy)
        return directory === undefined ? undefined : this.#kept(node.files, `${directory.path}/${file}`).read()
      },
      ...(isHost ? { readHost: (file) => this.#kept(this.#hostFiles, `/proc/${file}`).read() } : {}),
    }
  }

  #kept(files: Map<string, KeptFile>, path: string): KeptFile {
    const known = files.get(path) ?? new KeptFile(path, this.#budget)
    files.set(path, known)
    return known
  }
}

const inodeOf = (directory: string): number | undefined => statSync(directory, { throwIfNoEntry: false })?.ino

/** The names of the groups directly below, in any of the hierarchies, sorted. */
const childNames = (places: readonly Directory[]): readonly string[] => {
  const names = new Set<string>()
  for (const { path } of places) {
    try {
      for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) names.add(entry.name)
    } catch {
      // It went between the two calls.
    }
  }
  return [...names].toSorted()
}
