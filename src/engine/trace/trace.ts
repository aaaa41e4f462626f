import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { hasCapability } from '../../linux/capability.ts'
import { InputError, TareError } from '../../linux/error.ts'
import { openPidfd, sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { readProcessCapabilities } from '../../linux/process-capability.ts'
import { compileSeccomp } from '../../linux/seccomp/compile.ts'
import { continueNotification, isNotificationValid, receiveNotification } from '../../linux/seccomp/notify.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { exitCodeOf } from '../../linux/wait.ts'
import type { TracedFile } from '../../rootfs/closure/closure.ts'
import type { TracedProgram } from '../../runtime/traced.ts'
import { startTraced } from '../../runtime/traced.ts'
import { parseDuration } from '../../runtime/units.ts'
import { openNothing } from '../stdio.ts'
import { isExit, TRACE_PROFILE } from './path-calls.ts'
import type { LeftOutFile } from './trace-log.ts'
import { TraceLog } from './trace-log.ts'

export interface TraceOptions {
  /** What it reads: nothing, or what this process does (default `ignore`). */
  readonly stdin?: 'ignore' | 'inherit' | undefined
  /** Where what it writes goes: to this process's standard error, or nowhere (default `stderr`). */
  readonly output?: 'stderr' | 'ignore' | undefined
  /** By default that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** How long it may run, in milliseconds or as `5s`: then it is ended, and what was seen is the result. */
  readonly time?: number | string | undefined
  /** Ends it at once; the promise rejects. */
  readonly signal?: AbortSignal | undefined
}

/** What a program, and all that it started, did with files. */
export interface Trace {
  /** For `closure`. Only what was there, and could be used. */
  readonly files: readonly TracedFile[]
  /** Files that it used and that are not among those: what it wrote, and temporary ones. */
  readonly leftOut: readonly LeftOutFile[]
  /** Calls that couldn't be read: of programs of other users, or with another root. */
  readonly unread: number
  /** As a shell has it: 128 and the signal's number if one killed it. */
  readonly exitCode: number
}

const SIGTERM = 15
const SIGKILL = 9
/** How long, in milliseconds, what is left has to end by itself. */
const GRACE = 500
const MOST_PROCESSES = 256
const MOST_AT_ONCE = 64

/** The children of all threads of a process; none where it has ended. */
const childrenOf = (pid: number): readonly number[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'ascii')
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    )
  } catch {
    return [] // it has ended meanwhile
  }
}

/** The processes of a trace, so that none outlives it. */
class Processes {
  readonly #pidfds = new Map<number, number>()
  #ending: number | undefined

  see(pid: number): void {
    if (this.#pidfds.has(pid)) return
    if (this.#pidfds.size >= MOST_PROCESSES) this.#forgetEnded()
    try {
      const pidfd = openPidfd(pid)
      this.#pidfds.set(pid, pidfd)
      if (this.#ending !== undefined) sendPidfdSignal(pidfd, this.#ending)
    } catch (error) {
      // A thread that isn't its process's first: that one is seen by itself, or was.
      if (!(error instanceof TareError)) throw error
    }
  }

  /** Those that it has started: what names no file is seen by nothing else. */
  seeChildren(pid: number): void {
    for (const child of childrenOf(pid)) {
      this.see(child)
      this.seeChildren(child)
    }
  }

  /** Ends them all, and those that are seen later. */
  end(signal: number): void {
    this.#ending = signal
    for (const pid of Array.from(this.#pidfds.keys())) this.seeChildren(pid)
    for (const pidfd of this.#pidfds.values()) sendPidfdSignal(pidfd, signal)
  }

  close(): void {
    for (const pidfd of this.#pidfds.values()) trySyscall('close', pidfd)
    this.#pidfds.clear()
  }

  #forgetEnded(): void {
    for (const [pid, pidfd] of this.#pidfds) {
      if (sendPidfdSignal(pidfd, 0)) continue
      trySyscall('close', pidfd)
      this.#pidfds.delete(pid)
    }
  }
}

/** Answers calls until no process is left that makes them. */
const listen = async (listener: number, log: TraceLog, processes: Processes): Promise<void> => {
  for (let count = 1; ; count++) {
    // Many processes could keep us from ever doing anything else.
    if (count % MOST_AT_ONCE === 0) await turn()
    const next = receiveNotification(listener)
    if (next === 'ended') return
    if (next === 'none') {
      await whenEnded(listener)
      continue
    }
    processes.see(next.pid)
    // Whoever ends leaves its children to others: now they are still known for its own.
    if (isExit(next)) processes.seeChildren(next.pid)
    else if (isNotificationValid(listener, next.id)) log.note(next)
    continueNotification(listener, next.id)
  }
}

const after = (milliseconds: number, what: () => void): (() => void) => {
  const timer = setTimeout(what, milliseconds)
  return () => clearTimeout(timer)
}

/** Sees a started program to its end, and all that it started. */
const watch = async (
  program: TracedProgram,
  log: TraceLog,
  time: number | undefined,
  signal: AbortSignal | undefined,
): Promise<number> => {
  const processes = new Processes()
  const cancel: (() => void)[] = []
  processes.see(program.pid)
  const end = (first: number): void => {
    processes.end(first)
    // Again and again, as what is to end may have started another.
    const timer = setInterval(() => processes.end(SIGKILL), GRACE)
    cancel.push(() => clearInterval(timer))
  }
  const abort = (): void => end(SIGKILL)
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted === true) abort()
  if (time !== undefined) cancel.push(after(time, () => end(SIGTERM)))
  try {
    const listening = listen(program.listener, log, processes).catch((error: unknown) => {
      processes.end(SIGKILL)
      throw error
    })
    const rest = program.ended.finally(() => {
      // What it has left behind, as a server does that goes into the background, isn't waited for.
      cancel.push(after(GRACE, () => end(SIGTERM)))
    })
    // Both are waited for, whatever becomes of them: a call that nobody answers any more would hold its process for ever.
    const [ended, heard] = await Promise.allSettled([rest, listening])
    signal?.throwIfAborted()
    for (const outcome of [ended, heard]) if (outcome.status === 'rejected') throw outcome.reason
    return ended.status === 'fulfilled' ? (exitCodeOf(ended.value) ?? 0) : 0
  } finally {
    signal?.removeEventListener('abort', abort)
    for (const each of cancel) each()
    processes.close()
    trySyscall('close', program.listener)
  }
}

const environment = (env: Readonly<Record<string, string | undefined>>): readonly string[] =>
  Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))

/**
 * Runs a program once, as it is and where this process is, and notes which files it and all that it starts open, execute
 * and look at: plug-ins, modules, configuration, locales, which no program says that it needs. It is really run, so it must be one
 * that is trusted. When it has ended, what it has left running is ended too.
 *
 * The kernel tells of each system call that names a file, and waits for an answer (seccomp_unotify(2)). An ordinary user's
 * program can't gain privileges meanwhile (no_new_privs), so set-user-id programs run as that user.
 *
 * Rejects where the program can't be started.
 * Example: `closure(['python3'], { traced: (await traceFiles(['python3', '-c', 'import ssl'])).files })`.
 */
export const traceFiles = async (command: readonly string[], options: TraceOptions = {}): Promise<Trace> => {
  const { stdin = 'ignore', output = 'stderr', env = process.env, signal } = options
  const [program] = command
  if (program === undefined || program === '')
    throw new InputError({ operation: 'trace', reason: 'no program is given' })
  if (command.some((word) => word.includes('\0')))
    throw new InputError({ operation: 'trace', target: JSON.stringify(program), reason: 'a word has a NUL character' })
  const time = options.time === undefined ? undefined : parseDuration(options.time, 'time')
  signal?.throwIfAborted()
  const nothing = openNothing()
  try {
    const log = new TraceLog(program)
    const written = output === 'stderr' ? 2 : nothing
    const started = await startTraced({
      args: command,
      env: environment(env),
      stdio: [stdin === 'inherit' ? 0 : nothing, written, written],
      filter: compileSeccomp(TRACE_PROFILE),
      privileged: hasCapability(readProcessCapabilities().effective, 'CAP_SYS_ADMIN'),
    })
    const exitCode = await watch(started, log, time, signal)
    return { files: log.files, leftOut: log.leftOut, unread: log.unread, exitCode }
  } finally {
    trySyscall('close', nothing)
  }
}
