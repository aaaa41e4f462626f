import type { CgroupPaths } from '../linux/cgroup/layout.ts'
import { parseCgroupPaths } from '../linux/cgroup/layout.ts'
import type { IdMapping } from '../linux/idmap.ts'
import { idInside, parseIdMap } from '../linux/idmap.ts'
import { readNamespace } from '../linux/namespace.ts'
import type { FinishedProcess, ProcDirectory, ProcProcess } from '../linux/proc-directory.ts'
import { parseCommandLine } from '../linux/process-command-line.ts'
import { pageSize, parseProcessStat, residentPages, timeSinceBoot } from '../linux/process-stat.ts'
import { statusPids } from '../linux/process-status.ts'
import { PidTranslator } from './pid-translator.ts'
import { parsed } from './processes.ts'
import { userNames } from './user-names.ts'

/** A process, seen from the host and from within. */
export interface ContainedProcess {
  readonly pid: number
  /** Its number in each pid namespace that it is in: the reader's first, its own last. */
  readonly pids: readonly number[]
  /** The parent; 0 where there is none, or it is outside of the reader's pid namespace. */
  readonly ppid: number
  /** What it calls itself: 15 bytes at most. Any characters but NUL, as in the command line. */
  readonly name: string
  /** Its arguments: the first 4096 bytes of them. None for a thread of the kernel, or one that ended. */
  readonly commandLine: readonly string[]
  /** One letter: see `ProcessStat.state`. */
  readonly state: string
  readonly threads: number
  readonly isKernelThread: boolean
  /** The effective user, as the reader's user namespace sees it. */
  readonly uid: number
  /** That user's name in the host's /etc/passwd. */
  readonly user: string | undefined
  /** The same user in the process's own user namespace; undefined where that has no such user. */
  readonly uidInside: number | undefined
  /** Microseconds of processor time. */
  readonly cpuTime: number
  /** Share of one processor since its start: 100 is all of it. */
  readonly cpuPercent: number
  /** Bytes in memory; undefined where it has none of its own: a thread of the kernel, or one that ended. */
  readonly memory: number | undefined
  readonly startTime: Date
  /** Milliseconds since its start. */
  readonly age: number
  /** Its control group: {@link mainCgroup}. Undefined where that was not asked for. */
  readonly cgroup: string | undefined
}

/** In which hierarchy a process's group tells most, where it is in one that isn't the root. */
const TELLING = ['unified', 'memory', 'pids', 'cpu,cpuacct', 'cpu', 'name=systemd']

/** Of the groups that a process is in (one in each hierarchy), the one to show; `/` where it is in none but roots. */
export const mainCgroup = (paths: CgroupPaths): string => {
  const chosen = TELLING.map((name) => paths.get(name)).find((path) => path !== undefined && path !== '/')
  return chosen ?? [...paths.values()].find((path) => path !== '/') ?? '/'
}

/** What is read of each. */
const FILES = ['stat', 'statm', 'cmdline']

/** Every id is what it is. */
const SAME: readonly IdMapping[] = [{ inside: 0, outside: 0, size: 4_294_967_295 }]

/** A process and the inodes of its pid and user namespaces; undefined: not known. */
export interface PlacedProcess {
  readonly process: ProcProcess
  readonly namespaces: { readonly pid: number | undefined; readonly user: number | undefined }
}

/** What is known of a process before its files are read. */
interface PreparedProcess {
  readonly pid: number
  readonly pids: readonly number[] | undefined
  readonly map: readonly IdMapping[]
  readonly cgroup: string | undefined
}

/** Reads processes for display; what many have in common is read once. Close it. */
export class ContainedProcessReader {
  readonly #proc: ProcDirectory
  readonly #now: number = Date.now()
  readonly #uptime: number = timeSinceBoot()
  readonly #pageSize: number = pageSize()
  readonly #translator: PidTranslator
  readonly #users: ReadonlyMap<number, string> = userNames()
  readonly #maps: Map<number, readonly IdMapping[]> = new Map()
  readonly #withCgroups: boolean

  /** `pidNamespace`: the inode of the host's, if known. `withCgroups`: whether to read of each its control group. */
  constructor(proc: ProcDirectory, pidNamespace: number | undefined, withCgroups: boolean) {
    this.#proc = proc
    this.#translator = new PidTranslator(proc, pidNamespace)
    this.#withCgroups = withCgroups
    // The file of the reader's own user namespace would tell what its ids are outside of that.
    const own = proc.self() === undefined ? undefined : readNamespace('self', 'user')
    if (own !== undefined) this.#maps.set(own.inode, SAME)
  }

  /**
   * Processes, in their order. Undefined for those that have ended, or where this user may not even know their state
   * (hidepid of proc(5)). Closes them. At most as many as `ProcDirectory.finishAll` takes.
   */
  readAll(placed: readonly PlacedProcess[]): readonly (ContainedProcess | undefined)[] {
    const prepared = placed.map((each) => this.#prepare(each))
    const finished = this.#proc.finishAll(
      placed.map(({ process }) => process),
      FILES,
    )
    return finished.map((each, index) => {
      const known = prepared[index]
      return known === undefined ? undefined : this.#describe(known, each)
    })
  }

  close(): void {
    this.#translator.close()
  }

  /** What takes its directory to be open. */
  #prepare({ process, namespaces }: PlacedProcess): PreparedProcess {
    return {
      pid: process.pid,
      // By number, so before its files are read: they are there only as long as it is.
      pids: this.#translator.pids(process, namespaces.pid) ?? parsed(process.read('status'), statusPids),
      map: this.#map(process, namespaces.user),
      cgroup: this.#withCgroups ? mainCgroup(parseCgroupPaths(process.read('cgroup') ?? '')) : undefined,
    }
  }

  #describe(
    { pid, pids, map, cgroup }: PreparedProcess,
    { owner: uid, texts: [statText, statm, commandLine = ''] }: FinishedProcess,
  ): ContainedProcess | undefined {
    const stat = parsed(statText, parseProcessStat)
    if (pids === undefined || stat === undefined) return undefined
    const cpuTime = stat.cpu.user + stat.cpu.system
    const age = Math.max(0, Math.round(this.#uptime - stat.startTime))
    return {
      pid,
      pids,
      ppid: stat.ppid,
      name: stat.comm,
      commandLine: parseCommandLine(commandLine),
      state: stat.state,
      threads: stat.threads,
      isKernelThread: stat.isKernelThread,
      uid,
      user: this.#users.get(uid),
      uidInside: idInside(map, uid),
      cpuTime,
      // Microseconds by milliseconds, in percent.
      cpuPercent: age === 0 ? 0 : cpuTime / age / 10,
      memory: statm === undefined || stat.virtualMemory === 0 ? undefined : residentPages(statm) * this.#pageSize,
      startTime: new Date(this.#now - age),
      age,
      cgroup,
    }
  }

  #map(process: ProcProcess, userNamespace: number | undefined): readonly IdMapping[] {
    const known = userNamespace === undefined ? undefined : this.#maps.get(userNamespace)
    if (known !== undefined) return known
    const text = process.read('uid_map')
    // If this one ended meanwhile, the next process of the namespace is asked.
    if (text === undefined) return []
    const map = parseIdMap(text)
    if (userNamespace !== undefined) this.#maps.set(userNamespace, map)
    return map
  }
}
