import { readFileSync } from 'node:fs'
import type { Process, User } from '../../oci/process.ts'
import type { Spec } from '../../oci/spec.ts'
import { parseSpec } from '../../oci/spec.ts'
import { TareError } from '../../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, O_WRONLY } from '../../linux/fcntl.ts'
import { cgroupDirectory, readCgroupLayout, readCgroupOf } from '../../linux/cgroup/layout.ts'
import type { CgroupLayout } from '../../linux/cgroup/layout.ts'
import { openPidfd, sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { packetSocketPair } from '../../linux/socket.ts'
import { ARCHITECTURE, syscall, trySyscall } from '../../linux/syscall.ts'
import type { WaitStatus } from '../../linux/wait.ts'
import { waitid } from '../../linux/wait.ts'
import { encodePlan } from '../../plan/encode.ts'
import { Control } from '../control.ts'
import { Descriptors } from '../descriptors.ts'
import { readPlanHost } from '../host.ts'
import { setupError } from '../running.ts'
import type { StageProcess } from '../stage.ts'
import { finishStage, planDescriptor, startStage, stepTaken } from '../stage.ts'
import { ConsoleEnds } from './console-socket.ts'
import { ContainerDirectory } from './container-directory.ts'
import { checkPreserved, checkTerminal, writePidFile } from './create.ts'
import { planOciExec } from './exec-plan.ts'
import { processSpecOf, seccompOf } from './process-spec.ts'
import type { ContainerRecord } from './record.ts'
import { refuseProcess } from './refuse.ts'
import { holdProcess, statusOf, wrongStatus } from './status.ts'
import type { Warn } from './warn.ts'

/** What is changed of the container's own process for one more. */
export interface ProcessChange {
  readonly args: readonly string[]
  readonly terminal: boolean
  readonly cwd?: string | undefined
  readonly env?: readonly string[] | undefined
  readonly user?: User | undefined
  readonly additionalGids?: readonly number[] | undefined
  /** Capabilities that are added to its sets. */
  readonly capabilities?: readonly string[] | undefined
  readonly noNewPrivileges?: boolean | undefined
}

export interface OciExecOptions {
  readonly root: string
  readonly id: string
  /** The process in full. */
  readonly process?: Process | undefined
  /** Else what is changed of the container's own. */
  readonly change?: ProcessChange | undefined
  readonly pidFile?: string | undefined
  readonly consoleSocket?: string | undefined
  /** Whether the terminal is wanted by the caller itself, as {@link OciExec.terminal}. */
  readonly foreground?: boolean | undefined
  readonly preserveFds?: number | undefined
  readonly stdio: readonly [stdin: number, stdout: number, stderr: number]
  readonly warn?: Warn | undefined
}

/** A program that was started in a container. */
export interface OciExec {
  readonly pid: number
  /** The other side of its terminal, where the caller takes that. */
  readonly terminal: number | undefined
  /** Sends a signal. False if it has ended. */
  readonly signal: (signal: number) => boolean
  /** Resolves when it has ended. */
  readonly ended: () => Promise<WaitStatus>
}

const changedProcess = (base: Process | undefined, change: ProcessChange): Process => {
  const { args, terminal, cwd, env = [], capabilities = [], noNewPrivileges, additionalGids = [] } = change
  const sets = base?.capabilities ?? {}
  const add = (set: readonly string[] = []): readonly string[] => [...set, ...capabilities]
  const user = change.user ?? base?.user ?? { uid: 0, gid: 0 }
  return {
    ...base,
    args,
    terminal,
    cwd: cwd ?? base?.cwd ?? '/',
    env: [...(base?.env ?? []), ...env],
    user: { ...user, additionalGids: [...(user.additionalGids ?? []), ...additionalGids] },
    capabilities: {
      ...sets,
      bounding: add(sets.bounding),
      permitted: add(sets.permitted),
      effective: add(sets.effective),
    },
    noNewPrivileges: noNewPrivileges ?? base?.noNewPrivileges,
  }
}

const configOf = (directory: ContainerDirectory): Spec => parseSpec(readFileSync(directory.configFile, 'utf8'))

/** The group of version 2 that the first process is in: below the container's, where its init has moved itself. */
const groupOfFirst = (layout: CgroupLayout, pid: number): string | undefined => {
  const unified = layout.hierarchies.find(({ version }) => version === 2)
  const path = readCgroupOf(pid).get('unified')
  return unified === undefined || path === undefined ? undefined : cgroupDirectory(unified, path)
}

/** The files by which the stage gets into the container's groups, and on version 2 the directory that it is born in. */
const openGroups = (
  { cgroups, pid = 0 }: ContainerRecord,
  descriptors: Descriptors,
): { readonly joins: readonly string[]; readonly files: readonly number[]; readonly births: readonly number[] } => {
  const open = (path: string, flags: number): number =>
    descriptors.add(syscall({ operation: 'open', target: path }, 'openat', AT_FDCWD, path, flags | O_CLOEXEC, 0))
  const names = Object.keys(cgroups)
  if (names.length === 0) return { joins: [], files: [], births: [] }
  const layout = readCgroupLayout()
  if (layout.kind === 'v2') {
    const places = [cgroups['unified'], groupOfFirst(layout, pid)].filter((path) => path !== undefined)
    return { joins: [], files: [], births: places.map((path) => open(path, O_PATH | O_DIRECTORY)) }
  }
  const files = Object.entries(cgroups).map(([name, path]) =>
    open(`${path}/${name === 'unified' ? 'cgroup.procs' : 'tasks'}`, O_WRONLY),
  )
  return { joins: names, files, births: [] }
}

/** In a group that has given controllers to groups below it no process may be (EBUSY): then where the first one is. */
const startInGroup = (births: readonly number[], slots: readonly number[]): StageProcess => {
  const [first, second] = births
  try {
    return startStage(0, slots, first)
  } catch (error) {
    if (second === undefined || !(error instanceof TareError && error.code === 'EBUSY')) throw error
    return startStage(0, slots, second)
  }
}

/**
 * `exec`: runs one more program in a container. Resolves when it runs. Throws `InputError` for a container that
 * doesn't run, {@link TareError} if the program could not be reached.
 */
export const execContainer = async (options: OciExecOptions): Promise<OciExec> => {
  const { root, id, consoleSocket, preserveFds = 0, pidFile } = options
  const directory = new ContainerDirectory(root, id)
  const record = directory.read()
  const status = statusOf(directory, record)
  if (status !== 'running' && status !== 'created') throw wrongStatus('run a program in', id, status)
  const config = configOf(directory)
  const asked: Process =
    options.process ?? changedProcess(config.process, options.change ?? { args: [], terminal: false })
  refuseProcess(asked)
  checkPreserved(preserveFds)
  checkTerminal(asked.terminal === true, consoleSocket, options.foreground === true)
  const descriptors = new Descriptors()
  try {
    const pidfd = holdProcess(record)
    if (pidfd === undefined) throw wrongStatus('run a program in', id, 'stopped')
    descriptors.add(pidfd)
    const spec = processSpecOf(asked, {
      rootfs: `/proc/${record.pid ?? 0}/root`,
      seccomp: await seccompOf(config.linux?.seccomp),
      newKeyring: false,
      warn: options.warn,
    })
    const { joins, files, births } = openGroups(record, descriptors)
    const console = new ConsoleEnds(asked.terminal === true, consoleSocket, descriptors)
    const plan = planOciExec(
      {
        process: spec,
        namespaces: record.namespaces,
        joins,
        preserveFds,
        oomScoreAdj: asked.oomScoreAdj,
        scheduling: asked,
      },
      readPlanHost({ cgroups: false }),
    )
    const [ours, theirs] = packetSocketPair()
    descriptors.add(ours)
    descriptors.add(theirs)
    const planFd = descriptors.add(planDescriptor(encodePlan(plan.stage, plan.data, ARCHITECTURE)))
    const preserved = Array.from({ length: preserveFds }, (_, index) => index + 3)
    const stage = startInGroup(births, [
      ...options.stdio,
      theirs,
      planFd,
      pidfd,
      ...preserved,
      ...files,
      console.theirs ?? -1,
    ])
    descriptors.add(stage.pidfd)
    descriptors.close(theirs)
    const control = new Control(ours)
    const { status: own } = await finishStage(stage)
    const { pid } = control
    if (pid === undefined)
      throw (
        setupError(plan.stage, control, stepTaken(planFd), own) ??
        new TareError({ operation: `run a program in container ${id}` })
      )
    const child = descriptors.add(openPidfd(pid))
    while (!control.closed && control.report === undefined) await whenEnded(ours)
    if (control.report !== undefined) {
      await whenEnded(child)
      const waited = waitid({ pidfd: child })
      const failed = waited?.status ?? { kind: 'exited', code: 125 }
      throw (
        setupError(plan.stage, control, stepTaken(planFd), failed) ?? new TareError({ operation: 'run the program' })
      )
    }
    if (pidFile !== undefined) writePidFile(pidFile, pid)
    descriptors.release(child)
    return {
      pid,
      terminal: console.receive(),
      signal: (signal) => sendPidfdSignal(child, signal),
      ended: async () => {
        await whenEnded(child)
        const waited = waitid({ pidfd: child })
        trySyscall('close', child)
        if (waited === undefined) throw new TareError({ operation: 'wait for', target: `process ${pid}` })
        return waited.status
      },
    }
  } finally {
    descriptors.closeAll()
  }
}
