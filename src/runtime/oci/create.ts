import { writeFileSync, renameSync } from 'node:fs'
import { Buffer } from 'node:buffer'
import { obsoleteLimits } from '../../oci/limits.ts'
import type { State } from '../../oci/state.ts'
import type { Cgroup } from '../../linux/cgroup/cgroup.ts'
import { InputError } from '../../linux/error.ts'
import { namespaceFlags } from '../../linux/namespace.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import { Descriptors } from '../descriptors.ts'
import { readPlanHost } from '../host.ts'
import { ConsoleEnds } from './console-socket.ts'
import { ContainerDirectory } from './container-directory.ts'
import { groupPaths, groupsFor, makeGroups } from './groups.ts'
import { runHooks, runLastHooks } from './host-hooks.ts'
import type { Launched } from './launch.ts'
import { launchBundle } from './launch.ts'
import type { LoadedBundle } from './load-bundle.ts'
import { loadBundle } from './load-bundle.ts'
import { namespacesOf } from './asked-namespaces.ts'
import type { BundlePlan } from './plan.ts'
import { planBundle } from './plan.ts'
import { processSpecOf, seccompOf } from './process-spec.ts'
import type { ContainerRecord } from './record.ts'
import { startTimeOf, stateOf, withoutProcess } from './status.ts'
import type { Warn } from './warn.ts'

export interface CreateOptions {
  /** Where containers keep their state: ROOT/ID. */
  readonly root: string
  readonly id: string
  /** The directory of the bundle. */
  readonly bundle: string
  /** Where the id of the first process is written to. */
  readonly pidFile?: string | undefined
  /** A Unix socket on which somebody waits for the container's terminal. */
  readonly consoleSocket?: string | undefined
  /** Whether the terminal is wanted by the caller itself, as {@link Created.terminal}. */
  readonly foreground?: boolean | undefined
  readonly preserveFds?: number | undefined
  readonly noPivot?: boolean | undefined
  readonly noNewKeyring?: boolean | undefined
  readonly systemdCgroup?: boolean | undefined
  readonly stdio: readonly [stdin: number, stdout: number, stderr: number]
  readonly warn?: Warn | undefined
}

/** Writes a process id to a file: whoever reads it sees all of it, or no file. */
export const writePidFile = (path: string, pid: number): void => {
  const slash = path.lastIndexOf('/') + 1
  const temporary = `${path.slice(0, slash)}.${path.slice(slash)}`
  try {
    writeFileSync(temporary, String(pid))
    renameSync(temporary, path)
  } catch (error) {
    throw fromNodeError(error, 'write the pid file', path)
  }
}

/** Descriptors 3 to 2 + COUNT must be there to be passed on. */
export const checkPreserved = (count: number): void => {
  for (let fd = 3; fd < 3 + count; fd++)
    if (trySyscall('fcntl', fd, 1) < 0)
      throw new InputError({
        operation: 'pass on',
        target: `descriptor ${fd}`,
        reason: 'it is not open',
        hint: `--preserve-fds ${count} is for descriptors 3 to ${2 + count}.`,
      })
}

export const checkTerminal = (terminal: boolean, consoleSocket: string | undefined, foreground: boolean): void => {
  if (terminal && consoleSocket === undefined && !foreground)
    throw new InputError({
      operation: 'give the program a terminal',
      reason: 'nobody takes its other side',
      hint: 'Give --console-socket, or set process.terminal to false.',
    })
  if (!terminal && consoleSocket !== undefined)
    throw new InputError({
      operation: `use the console socket ${consoleSocket}`,
      reason: 'process.terminal is false',
      hint: 'Leave out --console-socket, or set process.terminal to true.',
    })
}

/** What the steps behind the wait are in words. */
const wordsOf = (plan: BundlePlan): Pick<ContainerRecord, 'firstStep' | 'steps'> => ({
  firstStep: plan.afterWait,
  steps: plan.stage.slice(plan.afterWait).map(({ what, call, hints }) => ({ what, call, hints })),
})

/** The record of a container of which nothing was made yet: so that what is made can be found, whatever happens. */
const firstRecord = (
  id: string,
  { bundle, rootfs, spec }: LoadedBundle,
  cgroups: Readonly<Record<string, string>>,
): ContainerRecord => {
  const { made, joined } = namespacesOf(spec.linux?.namespaces)
  return {
    ociVersion: spec.ociVersion,
    id,
    bundle,
    rootfs,
    created: new Date().toISOString(),
    annotations: spec.annotations ?? {},
    cgroups,
    namespaces: namespaceFlags([...made, ...joined.keys()]),
    poststart: spec.hooks?.poststart ?? [],
    poststop: spec.hooks?.poststop ?? [],
    firstStep: 0,
    steps: [],
  }
}

/** A file in memory for a state that isn't known yet, which takes the process's id. */
const emptyState = (): number => syscall({ operation: 'hand over the state' }, 'memfd_create', 'oci-state', 1)

const writeState = (fd: number | undefined, state: State): void => {
  if (fd === undefined) return
  const bytes = Buffer.from(JSON.stringify(state))
  syscall({ operation: 'hand over the state' }, 'pwrite64', fd, bytes, bytes.length, 0)
}

/** A container that was created, and what is held of it as long as its creator wants to. */
export interface Created {
  readonly record: ContainerRecord
  readonly directory: ContainerDirectory
  readonly launched: Launched
  /** The other side of its terminal, where the caller takes that; it is the caller's to close. */
  readonly terminal: number | undefined
}

/**
 * Makes the container of a bundle. With `wait` it stops before its program, until it is started; else it goes on to it.
 * If anything fails nothing is left of it. The container's directory is locked until the caller unlocks it.
 */
export const makeContainer = async (options: CreateOptions, wait: boolean): Promise<Created> => {
  const { root, id, preserveFds = 0, consoleSocket, pidFile, warn = () => {} } = options
  const directory = new ContainerDirectory(root, id)
  if (options.systemdCgroup === true)
    throw new InputError({
      operation: 'use --systemd-cgroup',
      reason: 'Tare does not ask systemd for control groups yet',
      hint: 'Let the engine use the cgroupfs driver.',
    })
  const loaded = loadBundle(options.bundle)
  const { spec, process, config } = loaded
  if (!wait && process.args.length === 0) throw withoutProcess(id)
  checkPreserved(preserveFds)
  checkTerminal(process.terminal === true, consoleSocket, options.foreground === true)
  const host = readPlanHost({ cgroups: true })
  const groups = groupsFor(host, { id, cgroupsPath: spec.linux?.cgroupsPath, resources: spec.linux?.resources })
  const noNewKeyring = options.noNewKeyring === true
  const processSpec = processSpecOf(process, {
    rootfs: loaded.rootfs,
    seccomp: await seccompOf(spec.linux?.seccomp),
    newKeyring: !noNewKeyring,
    warn,
  })
  for (const error of obsoleteLimits(spec.linux?.resources ?? {})) warn(error)
  const request = {
    id,
    bundle: loaded.bundle,
    rootfs: loaded.rootfs,
    spec,
    preserveFds,
    noNewKeyring,
    wait,
    noPivot: options.noPivot === true,
  }
  const layout = host.cgroups
  const paths = layout === undefined || groups === undefined ? {} : groupPaths(layout, groups)
  // Once without groups: whatever is wrong with the bundle is said before anything is made.
  planBundle(request, processSpec, host, [])
  const descriptors = new Descriptors()
  let record = firstRecord(id, loaded, paths)
  let cgroup: Cgroup | undefined
  let launched: Launched | undefined
  directory.make()
  try {
    directory.write(record)
    writeFileSync(directory.configFile, config, { mode: 0o600 })
    directory.makeFifos(wait)
    if (layout !== undefined && groups !== undefined) cgroup = makeGroups(layout, groups)
    const console = new ConsoleEnds(process.terminal === true, consoleSocket, descriptors)
    const hooks = spec.hooks ?? {}
    const stateFor = (list: readonly unknown[] | undefined): number | undefined =>
      (list ?? []).length === 0 ? undefined : descriptors.add(emptyState())
    const creatingState = stateFor(hooks.createContainer)
    const startState = stateFor(hooks.startContainer)
    const plan = planBundle(request, processSpec, host, cgroup?.directories ?? [])
    record = { ...record, cgroups: cgroup?.paths ?? {}, ...(process.args.length > 0 && wordsOf(plan)) }
    launched = await launchBundle(
      plan,
      {
        stdio: options.stdio,
        cgroup,
        fifos: wait ? { start: directory.creatingFifo, report: directory.reportFifo } : undefined,
        console: console.theirs,
        creatingState,
        startState,
      },
      {
        cloned: (pid) => {
          record = { ...record, pid, startTime: startTimeOf(pid) }
          directory.write(record)
          writeState(creatingState, stateOf(record, 'creating'))
          writeState(startState, stateOf(record, 'created'))
        },
        synced: async () => {
          const state = stateOf(record, 'creating')
          await runHooks('prestart', hooks.prestart, state)
          await runHooks('createRuntime', hooks.createRuntime, state)
        },
      },
    )
    directory.finish(wait)
    if (pidFile !== undefined) writePidFile(pidFile, launched.pid)
    return { record, directory, launched, terminal: console.receive() }
  } catch (error) {
    await launched?.kill()
    launched?.release()
    await cgroup?.remove()
    // Once there was a process its life ends as any does (runtime-spec, runtime.md, Lifecycle).
    if (record.pid !== undefined) await runLastHooks(record.poststop, stateOf(record, 'stopped'), warn)
    directory.remove()
    throw error
  } finally {
    descriptors.closeAll()
  }
}

/** `create`: makes a container, whose process waits to be started, and stays when this process ends. */
export const createContainer = async (options: CreateOptions): Promise<void> => {
  const { directory, launched } = await makeContainer(options, true)
  launched.release()
  directory.unlock()
}
