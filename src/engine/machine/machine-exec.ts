import { mkdirSync } from 'node:fs'
import { Cgroup } from '../../linux/cgroup/cgroup.ts'
import { delegateCgroup } from '../../linux/cgroup/delegate.ts'
import { InputError, TareError } from '../../linux/error.ts'
import { openPidfd } from '../../linux/pidfd.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { withTree } from '../../rootfs/system-tree.ts'
import type { ExecContainer, ExecRunning } from '../../runtime/exec.ts'
import { execInContainer } from '../../runtime/exec.ts'
import type { ContainerSpec, ProcessSpec } from '../../runtime/spec.ts'
import { checkOptions } from '../check-options.ts'
import type { ExecOptions } from '../options.ts'
import { EXEC_OPTIONS } from '../container.ts'
import { Program, resolveWatch } from '../program.ts'
import type { ResolvedBoot } from '../resolve-boot.ts'
import { resolveBoot } from '../resolve-boot.ts'
import { checkCommand, checkMapped, checkWorkdir, resolveArgv0 } from '../resolve.ts'
import { resolveEnv } from '../resolve-process.ts'
import { resolveUser } from '../resolve-user.ts'
import { makeStdio, makeTerminal, openNothing } from '../stdio.ts'
import { machineCgroup } from './machine-cleanup.ts'
import { initPid } from './machine-info.ts'
import type { MachineRecord } from './machine-record.ts'
import { openProcess } from './process-identity.ts'
import { rootOutside } from './tells-state.ts'

/** A group beside those of the machine's own: where it gives controllers to those, none of its processes may be in itself. */
const GROUP = 'tare-exec'

/** The group for a program from outside, made if need be; the machine's root may do with it as with its own. */
const execGroup = (record: MachineRecord, spec: ContainerSpec): Cgroup | undefined => {
  const whole = machineCgroup(record)
  if (whole === undefined) return undefined
  const directories = whole.directories.map((place) =>
    place.hierarchy.version === 2 ? { ...place, directory: `${place.directory}/${GROUP}` } : place,
  )
  const unified = directories.find(({ hierarchy }) => hierarchy.version === 2)?.directory
  if (unified !== undefined) {
    try {
      mkdirSync(unified)
      const { uid, gid } = rootOutside(spec)
      if (trySyscall('geteuid') === 0 && uid !== 0) delegateCgroup(unified, uid, gid)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST'))
        throw fromNodeError(error, 'make cgroup', unified)
    }
  }
  return new Cgroup(whole.layout, directories)
}

/** The machine as what a program is let into, and what closes it. */
const openMachine = (record: MachineRecord, { spec }: ResolvedBoot): ExecContainer & { readonly close: () => void } => {
  const ended = (): TareError =>
    new TareError({
      operation: `run a program in machine ${record.name}`,
      reason: 'it has ended',
      code: 'ERR_TARE_ENDED',
    })
  const around = record.container === undefined ? undefined : openProcess(record.container)
  if (around === undefined) throw ended()
  try {
    const pid = initPid(record)
    if (pid === undefined) throw ended()
    const pidfd = openPidfd(pid)
    const close = (): void => void trySyscall('close', pidfd)
    // Its init is the child of a process that is held, and of no other: so it is the one that was opened, if it still is.
    if (initPid(record) === pid) return { spec, pid, pidfd, alive: true, cgroup: execGroup(record, spec), close }
    close()
    throw ended()
  } finally {
    trySyscall('close', around)
  }
}

const processOf = (
  { spec }: ResolvedBoot,
  record: MachineRecord,
  command: readonly string[],
  options: ExecOptions,
): ProcessSpec => {
  const user = resolveUser(options.user ?? 0, options.groups ?? [], record.directory)
  checkMapped(spec.userNamespace, user)
  const tty = options.tty !== undefined && options.tty !== false
  const { capabilities } = spec.process
  return {
    ...spec.process,
    args: command,
    argv0: resolveArgv0(options.argv0),
    env: resolveEnv({ container: 'tare', ...options.env }, user, { tty }),
    cwd: checkWorkdir(options.workdir ?? '/'),
    uid: user.uid,
    gid: user.gid,
    groups: user.groups,
    // What init has; of another user no more than it can come by, as after a login.
    capabilities:
      user.uid === 0 ? capabilities : { ...capabilities, permitted: 0n, effective: 0n, inheritable: 0n, ambient: 0n },
    terminal: tty,
    size: typeof options.tty === 'object' ? options.tty : undefined,
    console: undefined,
    init: false,
  }
}

const resolveMachine = ({ directory, options }: MachineRecord): ResolvedBoot =>
  withTree(directory, (tree) => resolveBoot(tree, options))

/** Runs a program in a machine, behind the walls that its init is behind. The record is asked for when it is started. */
export const execInMachine = (find: () => MachineRecord, command: readonly string[], options: ExecOptions): Program =>
  new Program(() => {
    checkOptions(options, EXEC_OPTIONS)
    const watch = resolveWatch(options)
    const record = find()
    const resolved = resolveMachine(record)
    const process = processOf(resolved, record, checkCommand(command), options)
    const stdio = process.terminal ? makeTerminal() : makeStdio(options)
    return { stdio, watch, start: () => startIn(record, resolved, process, stdio.descriptors) }
  })

/** Starts a program that stays when this process ends. Resolves with its id on this host when it runs. */
export const execDetachedInMachine = async (
  record: MachineRecord,
  command: readonly string[],
  options: ExecOptions,
): Promise<number> => {
  checkOptions(options, EXEC_OPTIONS)
  if (options.tty !== undefined && options.tty !== false)
    throw new InputError({ operation: 'leave a program to itself', reason: 'nobody would be at its terminal' })
  const resolved = resolveMachine(record)
  const process = { ...processOf(resolved, record, checkCommand(command), options), outlivesStarter: true }
  const nothing = openNothing()
  try {
    const running = await startIn(record, resolved, process, [nothing, nothing, nothing])
    await running.leave()
    return running.pid
  } finally {
    trySyscall('close', nothing)
  }
}

const startIn = async (
  record: MachineRecord,
  resolved: ResolvedBoot,
  process: ProcessSpec,
  stdio: readonly [number, number, number],
): Promise<ExecRunning> => {
  const machine = openMachine(record, resolved)
  try {
    return await execInContainer(machine, process, { stdio, host: resolved.host })
  } finally {
    machine.close()
  }
}
