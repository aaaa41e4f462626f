import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { readCgroupLayout } from '../../src/linux/cgroup/layout.ts'
import { readMountinfo } from '../../src/linux/mountinfo.ts'
import { syscall } from '../../src/linux/syscall.ts'
import { waitid } from '../../src/linux/wait.ts'
import { run } from '../../src/engine/run.ts'

/** What there is on this host that a container could leave behind: a line for each thing, by its kind. */
export interface HostState {
  readonly processes: readonly string[]
  readonly descriptors: readonly string[]
  readonly mounts: readonly string[]
  readonly cgroups: readonly string[]
  readonly namespaces: readonly string[]
  readonly files: readonly string[]
}

const KINDS = ['processes', 'descriptors', 'mounts', 'cgroups', 'namespaces', 'files'] as const

/**
 * How long the kernel may take, in milliseconds. It kills and frees a pid namespace before its PID 1 can be waited for,
 * but control groups stay busy, and the last process of a network namespace stays listed in /proc, a moment longer.
 */
const PATIENCE = 3000

const PR_SET_CHILD_SUBREAPER = 36

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const list = (directory: string): readonly string[] => attempt(() => readdirSync(directory)) ?? []

const childrenOf = (pid: string): readonly string[] =>
  list(`/proc/${pid}/task`).flatMap((task) => {
    const text = attempt(() => readFileSync(`/proc/${pid}/task/${task}/children`, 'ascii')) ?? ''
    return text.split(' ').filter((word) => word !== '')
  })

/** All that descends from a process. {@link expectNothingLeft} sees to it that orphans do too. */
const descendantsOf = (pid: string): readonly string[] =>
  childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)])

const nameOf = (pid: string): string => {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? ''
  return `${pid} ${text.slice(text.indexOf('('), text.lastIndexOf(')') + 3)}`
}

const NAMESPACES = [
  'cgroup',
  'ipc',
  'mnt',
  'net',
  'pid',
  'pid_for_children',
  'time',
  'time_for_children',
  'user',
  'uts',
]

const namespacesOf = (pid: string): readonly string[] =>
  NAMESPACES.flatMap((name) => attempt(() => readlinkSync(`/proc/${pid}/ns/${name}`)) ?? [])

const descriptors = (): readonly string[] =>
  list('/proc/self/fd').flatMap((fd) => {
    const target = attempt(() => readlinkSync(`/proc/self/fd/${fd}`))
    return target === undefined ? [] : [`${fd} ${target}`]
  })

const below = (directory: string): readonly string[] => {
  const entries = attempt(() => readdirSync(directory, { withFileTypes: true })) ?? []
  return entries
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => [`${directory}/${name}`, ...below(`${directory}/${name}`)])
}

/** Groups below one named `tare`, in each hierarchy; that one itself stays, as the place for others. */
const cgroups = (): readonly string[] =>
  readCgroupLayout()
    .hierarchies.flatMap(({ mountPoint }) => below(mountPoint))
    .filter((directory) => directory.includes('/tare/'))

/** Where a program of this user could leave files. TMPDIR is a directory of the test's own, see {@link expectNothingLeft}. */
const files = (): readonly string[] =>
  [tmpdir(), '/run', '/dev/shm', '/dev/mqueue', process.env['XDG_RUNTIME_DIR'] ?? '/run'].flatMap((directory) =>
    list(directory).map((name) => join(directory, name)),
  )

/** Takes stock of this host, as far as it is this process's doing. */
export const snapshotHost = (): HostState => {
  const self = String(process.pid)
  const processes = descendantsOf(self)
  return {
    processes: processes.map(nameOf),
    descriptors: descriptors(),
    mounts: readMountinfo().map(({ id, mountPoint, type }) => `${id} ${mountPoint} ${type}`),
    cgroups: cgroups(),
    // The kernel names a namespace only through what holds it: a process, or a descriptor or mount, seen above.
    namespaces: [...new Set([self, ...processes].flatMap(namespacesOf))],
    files: files(),
  }
}

/** What others may take away meanwhile, and a container can't. */
const STAYS: readonly (keyof HostState)[] = ['descriptors', 'mounts', 'files']

const difference = (before: HostState, now: HostState): readonly string[] =>
  KINDS.flatMap((kind) => {
    const left = now[kind].filter((line) => !before[kind].includes(line)).map((line) => `left in ${kind}: ${line}`)
    if (!STAYS.includes(kind)) return left
    const gone = before[kind].filter((line) => !now[kind].includes(line)).map((line) => `gone from ${kind}: ${line}`)
    return [...left, ...gone]
  })

/**
 * Fails if the host isn't as it was. What differs must go on differing for {@link PATIENCE}: others may come and go
 * meanwhile.
 */
export const assertNothingLeft = async (before: HostState, of = 'the test'): Promise<void> => {
  let differences = difference(before, snapshotHost())
  for (const begin = performance.now(); differences.length > 0 && performance.now() - begin < PATIENCE;) {
    await sleep(5)
    const now = difference(before, snapshotHost())
    differences = differences.filter((line) => now.includes(line))
  }
  assert.deepEqual(differences, [], `${of} leaves the host as it was`)
}

/** Takes note of processes that have ended and came to us when their parent was killed; how many there were. */
export const reapOrphans = (): number =>
  childrenOf(String(process.pid)).filter(
    (pid) => nameOf(pid).endsWith(' Z') && waitid({ pid: Number(pid) }) !== undefined,
  ).length

/** What a test file that starts containers has at hand. */
export interface Watched {
  /** Checks, when the test ends, that the host is as it is now. To be called first. */
  readonly nothingLeft: (t: TestContext) => void
  /** A directory for a test, which all users may enter; it goes with the test file. */
  readonly scratch: () => string
}

/**
 * To be called once, at the head of a test file. Gives it a temporary directory of its own, makes it the parent of all
 * that outlives its parent, and lets the library open what it keeps open for all containers (a memfd with the stage, a
 * descriptor for waiting), so that later snapshots have it.
 */
export const expectNothingLeft = async (): Promise<Watched> => {
  const base = mkdtempSync(join(tmpdir(), 'tare-test-'))
  for (const name of ['tmp', 'scratch']) mkdirSync(join(base, name))
  for (const path of [base, join(base, 'tmp'), join(base, 'scratch')]) chmodSync(path, 0o777)
  process.env['TMPDIR'] = join(base, 'tmp')
  after(() => rmSync(base, { recursive: true, force: true }))
  syscall({ operation: 'become the parent of orphans' }, 'prctl', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  await run(['true'], { stdin: { text: '' } })
  return {
    nothingLeft: (t) => {
      const before = snapshotHost()
      t.after(() => assertNothingLeft(before, t.name))
    },
    scratch: () => {
      const directory = mkdtempSync(join(base, 'scratch', 'test-'))
      chmodSync(directory, 0o755)
      return directory
    },
  }
}
