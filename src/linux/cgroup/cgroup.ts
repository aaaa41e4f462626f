import { basename, dirname } from 'node:path'
import { InputError } from '../error.ts'
import type { CgroupDirectory } from './apply.ts'
import { applyWrites, enableControllers, toEnable } from './apply.ts'
import { currentLimits } from './current.ts'
import { childGroups, readIfThere } from './file.ts'
import { freezeDirectories, isFrozen, thawDirectories } from './freeze.ts'
import { isPopulated, killDirectories, mainDirectory, ownProcessesIn, processesIn, removeDirectories } from './kill.ts'
import type { CgroupLayout } from './layout.ts'
import { hierarchyOf } from './layout.ts'
import type { CgroupLimits } from './limits.ts'
import { moveInto } from './move.ts'
import { readOomEvents, readStats } from './read-stats.ts'
import type { CgroupStats, OomEvents } from './stats.ts'
import type { CgroupFileWrite } from './write.ts'
import { cgroupWrites } from './writes.ts'

/** A control group on this host: one directory in each hierarchy that it is in (cgroups(7)). */
export class Cgroup {
  readonly layout: CgroupLayout
  readonly directories: readonly CgroupDirectory[]

  /** For groups that exist: see `createCgroup` and `openCgroup`. */
  constructor(layout: CgroupLayout, directories: readonly CgroupDirectory[]) {
    this.layout = layout
    this.directories = directories
  }

  /** Its path from the root of the hierarchies, `/shop/web`; `/` for the root. */
  get name(): string {
    const [first] = this.directories
    return first === undefined ? '/' : first.directory.slice(first.hierarchy.mountPoint.length) || '/'
  }

  /** Absolute directories by the hierarchy's name (`memory`, `cpu,cpuacct`, `unified`): what `openCgroup` takes. */
  get paths(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.directories.map(({ hierarchy, directory }) => [hierarchy.name, directory]))
  }

  /** The directory where a controller's files are; undefined if the group has none for it. */
  directoryOf(controller: string): string | undefined {
    const hierarchy = hierarchyOf(this.layout, controller)
    return this.directories.find((place) => place.hierarchy.name === hierarchy?.name)?.directory
  }

  /** The directory in version 2's hierarchy, for clone3(2) with CLONE_INTO_CGROUP. */
  get unified(): string | undefined {
    return this.directories.find(({ hierarchy }) => hierarchy.version === 2)?.directory
  }

  /**
   * The files to which a process writes `0` to join. Version 1's `tasks` moves the calling thread alone, and so avoids
   * the lock over all processes that cgroup.procs takes: write before there is a second thread.
   */
  joinFiles(): string[] {
    return this.directories.map(
      ({ hierarchy, directory }) => `${directory}/${hierarchy.version === 1 ? 'tasks' : 'cgroup.procs'}`,
    )
  }

  /** The processes in the group and in those below it. */
  processes(): readonly number[] {
    return processesIn(mainDirectory(this.directories))
  }

  /** The processes in the group and in those below it, in any of its hierarchies. */
  allProcesses(): readonly number[] {
    return [...new Set(this.directories.flatMap(({ directory }) => processesIn(directory)))].toSorted((a, b) => a - b)
  }

  /** The names of the groups directly below it, without a path. */
  children(): readonly string[] {
    const names = this.directories.flatMap(({ directory }) => childGroups(directory).map((path) => basename(path)))
    return [...new Set(names)].toSorted()
  }

  /** The processes in the group itself, in any of its hierarchies: on version 1 a process may be in one of them alone. */
  ownProcesses(): readonly number[] {
    return [...new Set(this.directories.flatMap(({ directory }) => ownProcessesIn(directory)))].toSorted(
      (a, b) => a - b,
    )
  }

  /**
   * Moves processes, each with all its threads, into the group: all or none. Throws {@link InputError} for one that has
   * ended and for a thread of the kernel, {@link TareError} for what the kernel refuses.
   */
  add(...pids: readonly number[]): void {
    moveInto(this.layout, this.directories, pids, false)
  }

  /**
   * Moves single threads, by their ids (gettid(2)), as {@link add} does processes. On version 2 that takes threaded groups
   * (cgroup.type); where version 1 and 2 are side by side, they move in version 1's hierarchies.
   */
  addThreads(...tids: readonly number[]): void {
    moveInto(this.layout, this.directories, tids, true)
  }

  /**
   * Changes limits; those not given stay. Then writes `more`. Throws {@link InputError} if this host can't set one, before any is
   * changed, and {@link TareError} if the kernel refuses one; those before it are changed back then.
   */
  set(limits: CgroupLimits, more: readonly CgroupFileWrite[] = []): void {
    const current = currentLimits(this.layout, this.directories, limits)
    applyWrites(this.layout, this.directories, [...cgroupWrites(this.layout, limits, current), ...more])
  }

  /** Has the groups above give it a controller of version 2, unless it has it. Throws {@link TareError}. */
  enable(controller: string): void {
    const hierarchy = hierarchyOf(this.layout, controller)
    const directory = this.directoryOf(controller)
    if (hierarchy === undefined || directory === undefined || directory === hierarchy.mountPoint) return
    const has = (readIfThere(`${directory}/cgroup.controllers`) ?? '').trim().split(' ')
    const missing = toEnable(hierarchy, [controller]).filter((name) => !has.includes(name))
    enableControllers(hierarchy.mountPoint, dirname(directory), missing)
  }

  /** Stops all processes; resolves when they are stopped. `timeout` in milliseconds. Throws {@link TareError}. */
  async freeze({ timeout = 5000 }: { readonly timeout?: number } = {}): Promise<void> {
    this.#refuseOwn('freeze')
    return freezeDirectories(this.directories, timeout)
  }

  /** Lets them run again. Throws {@link TareError}. */
  thaw(): void {
    thawDirectories(this.directories)
  }

  /** Whether all its processes are stopped. */
  get frozen(): boolean {
    return isFrozen(this.directories)
  }

  /** Kills all processes, frozen ones too; resolves when they are gone. `timeout` in milliseconds. Throws {@link TareError}. */
  async kill({ timeout = 10_000 }: { readonly timeout?: number } = {}): Promise<void> {
    this.#refuseOwn('kill all processes of')
    return killDirectories(this.directories, timeout)
  }

  /** Who stops or kills the group that it is in itself doesn't get to say how that went. */
  #refuseOwn(verb: string): void {
    if (!this.directories.some(({ directory }) => processesIn(directory).includes(process.pid))) return
    const hint = 'Name a group below it, or do it from another group.'
    const details = { operation: `${verb} cgroup`, target: this.name, reason: 'this process is in it itself', hint }
    throw new InputError(details)
  }

  /** What the group uses and has used. */
  stats(): CgroupStats {
    return readStats(this.directories)
  }

  /** How often memory ran out; undefined if the group has no memory controller. */
  oomEvents(): OomEvents | undefined {
    return readOomEvents(this.directories)
  }

  /** Whether there are processes in the group or below it. */
  get populated(): boolean {
    return isPopulated(this.directories)
  }

  /**
   * Removes the group and those below it, at once if it is empty; else it waits for processes that are exiting, up to
   * `timeout` milliseconds. That it is gone is no error. Throws {@link TareError}.
   */
  remove({ timeout = 5000 }: { readonly timeout?: number } = {}): Promise<void> {
    return removeDirectories(this.directories, timeout)
  }
}
