import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { errnoName } from '../linux/errno.ts'
import type { Argument, SyscallName } from '../linux/syscall.ts'
import { trySyscall } from '../linux/syscall.ts'
import { getXattr } from '../linux/xattr.ts'

/** Groups of what is reported about a host, in the order in which they are shown. */
export type HostGroup = 'host' | 'namespaces' | 'users' | 'cgroups' | 'mounts' | 'processes' | 'security'

/** One thing that this host can do, can't do, or can do in part. */
export interface HostItem {
  /** Stable name for programs: `user-namespaces`. */
  readonly id: string
  readonly name: string
  readonly group: HostGroup
  readonly state: 'yes' | 'no' | 'limited'
  /** What was found, in a few words. */
  readonly detail: string
  /** What to do about it; there unless the state is `yes`, or nothing can be done. */
  readonly remedy?: string
}

/** All that is asked of the host. A test answers instead. */
export interface HostSource {
  readonly uid: number
  /** As in `process.arch`. */
  readonly arch: string
  /** Version of Node: `20.19.0`. */
  readonly node: string
  /** As by `uname -r`. */
  readonly release: string
  /** The directories in which programs are looked for. */
  readonly path: readonly string[]
  /** A file's text; undefined if it can't be read. */
  read(path: string): string | undefined
  exists(path: string): boolean
  /** Whether this process may write it, by permissions and by how it is mounted (access(2)). */
  writable(path: string): boolean
  /** Whether executing a file raises privileges: it is set-user-id root, or has file capabilities. */
  privileged(path: string): boolean
  /** A system call whose arguments make it do nothing; its result or negative errno. */
  probe(name: SyscallName, ...args: readonly Argument[]): number
}

const attempt = <T>(action: () => T): T | undefined => {
  try {
    return action()
  } catch {
    return undefined
  }
}

const SET_UID = 0o4000

const isPrivileged = (path: string): boolean => {
  const stat = attempt(() => statSync(path))
  if (stat === undefined) return false
  if (stat.uid === 0 && (stat.mode & SET_UID) !== 0) return true
  return attempt(() => getXattr(path, 'security.capability')) !== undefined
}

/** The host that this process runs on. */
export const thisHost = (): HostSource => ({
  uid: process.geteuid?.() ?? 0,
  arch: process.arch,
  node: process.versions.node,
  release: release(),
  path: (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/')),
  read: (path) => attempt(() => readFileSync(path, 'utf8')),
  exists: existsSync,
  writable: (path) => attempt(() => accessSync(path, constants.W_OK) ?? true) ?? false,
  privileged: isPrivileged,
  probe: trySyscall,
})

/** A number in a file of the kernel's; undefined if there is none. */
export const readNumber = (host: HostSource, path: string): number | undefined => {
  const text = host.read(path)?.trim()
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text)
}

/** The words in a file of the kernel's; undefined if it can't be read. */
export const readWords = (host: HostSource, path: string): readonly string[] | undefined =>
  host
    .read(path)
    ?.split(/\s+/)
    .filter((word) => word !== '')

/** Whether a kernel release (`5.14.0-70.el9`) is at least a version. */
export const isAtLeast = (version: string, major: number, minor: number): boolean => {
  const [ours = 0, oursMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  return ours > major || (ours === major && oursMinor >= minor)
}

/** A call of which to find out whether the kernel has it, with arguments that make it do nothing. */
export type Probe = readonly [name: SyscallName, ...args: readonly Argument[]]

/** Which calls this process can't make: each with `ENOSYS`, or `EPERM` where a seccomp filter is the likely cause. */
const missingCalls = (host: HostSource, probes: readonly Probe[], filtered: boolean): readonly string[] =>
  probes.flatMap(([name, ...args]) => {
    const result = host.probe(name, ...args)
    const code = result < 0 ? errnoName(-result) : ''
    return code === 'ENOSYS' || (code === 'EPERM' && filtered) ? [`${name} (${code})`] : []
  })

/** Whether this process is under a seccomp filter (proc_pid_status(5)). */
export const isFiltered = (host: HostSource): boolean => /^Seccomp:\s*2$/m.test(host.read('/proc/self/status') ?? '')

/** How an item about system calls reads. */
export const callsItem = (
  item: Pick<HostItem, 'id' | 'name' | 'group'>,
  host: HostSource,
  probes: readonly Probe[],
  since: string,
): HostItem => {
  const filtered = isFiltered(host)
  const missing = missingCalls(host, probes, filtered)
  if (missing.length === 0) return { ...item, state: 'yes', detail: probes.map(([name]) => name).join(', ') }
  const remedy = filtered
    ? 'This process is in a container whose seccomp filter refuses them: allow them there.'
    : `Use Linux ${since} or newer.`
  const state = missing.length === probes.length ? 'no' : 'limited'
  return { ...item, state, detail: `missing: ${missing.join(', ')}`, remedy }
}
