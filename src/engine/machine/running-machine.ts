import type { Buffer } from 'node:buffer'
import { binding } from '../../linux/binding.ts'
import { TareError } from '../../linux/error.ts'
import { sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { parseDuration } from '../../runtime/units.ts'
import { INIT_SIGNALS } from '../init-signals.ts'
import type { ExecOptions } from '../options.ts'
import type { Program } from '../program.ts'
import type { LogOptions } from './follow-log.ts'
import { readLog } from './follow-log.ts'
import { DEAF, listensTo } from './listening.ts'
import { isKept } from './machine-cleanup.ts'
import { MachineConsole } from './machine-console.ts'
import { withMachinesLocked } from './machine-directory.ts'
import { execDetachedInMachine, execInMachine } from './machine-exec.ts'
import type { MachineInfo } from './machine-info.ts'
import { describeMachine, initPid } from './machine-info.ts'
import type { MachineRecord } from './machine-record.ts'
import { machineFile, readRecord, writeRecord } from './machine-record.ts'
import type { ProcessIdentity } from './process-identity.ts'
import { isRunning, openProcess } from './process-identity.ts'

const SIGKILL = 9
/** Milliseconds. Debian's services are given 90 s to end (DefaultTimeoutStopSec=, systemd-system.conf(5)). */
const TIMEOUT = 120_000
/** How long the kernel may take to end what was killed. */
const KILLED = 30_000
/** How often what can't be watched is looked at, in milliseconds. */
const LOOK = 20
export interface PowerOffOptions {
  /** How long it may take: milliseconds, or text with a unit (`90s`). Default: two minutes. */
  readonly timeout?: number | string
  /** Ends it at once when that time is over, as if the power failed; without a timeout, right away. */
  readonly force?: boolean
}

export interface RebootOptions {
  /** How long it may take until its init is started anew. Default: two minutes. */
  readonly timeout?: number | string
}

const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })

/** Whether a process has ended before the time is up. */
const endsBefore = async (identity: ProcessIdentity, deadline: number): Promise<boolean> => {
  const pidfd = openProcess(identity)
  if (pidfd === undefined) return true
  try {
    return await new Promise<boolean>((resolve, reject) => {
      const giveUp = (): void => {
        if (binding.unwatch(pidfd)) resolve(false)
      }
      const timer = setTimeout(giveUp, Math.max(0, deadline - performance.now()))
      void whenEnded(pidfd).then(() => {
        clearTimeout(timer)
        return resolve(true)
      }, reject)
    })
  } finally {
    trySyscall('close', pidfd)
  }
}

/** A machine that was found by its name, whoever has booted it. */
export class RunningMachine {
  readonly name: string
  readonly #directory: string
  readonly #record: MachineRecord

  constructor(directory: string, record: MachineRecord) {
    this.name = record.name
    this.#directory = directory
    this.#record = record
  }

  /** What is to be said of it now; undefined when it has ended. */
  info(): MachineInfo | undefined {
    const record = this.#now()
    return record === undefined ? undefined : describeMachine(this.#directory, record)
  }

  /**
   * Resolves when its init says that all is up, which systemd does; with another, when that was started. Rejects if it
   * ends before, or in `timeout` milliseconds isn't there.
   */
  async up({ timeout = TIMEOUT }: { readonly timeout?: number | string } = {}): Promise<void> {
    const within = parseDuration(timeout, 'timeout')
    const deadline = performance.now() + within
    const hint = '"tare logs" shows what its console says.'
    for (;;) {
      const info = this.info()
      if (info === undefined) throw this.#ended('wait for machine')
      if (info.state === 'running') return
      if (performance.now() >= deadline)
        throw new TareError({
          operation: 'wait for machine',
          target: this.name,
          reason: `it is not up within ${within / 1000} s`,
          hint,
        })
      await sleep(LOOK)
    }
  }

  /**
   * Has it stop its services and switch off; resolves when nothing of it is left. Rejects with {@link TareError} where
   * that takes too long: then it goes on stopping, unless `force`.
   */
  async powerOff({ timeout, force = false }: PowerOffOptions = {}): Promise<void> {
    const within = timeout === undefined ? (force ? 0 : TIMEOUT) : parseDuration(timeout, 'timeout')
    const deadline = performance.now() + within
    const refuse = (time: number, hint: string): TareError =>
      new TareError({
        operation: 'power off machine',
        target: this.name,
        reason: `it has not done so within ${time / 1000} s`,
        hint,
      })
    // Once more where it was about to boot anew.
    for (let there = true; there; there = this.#now() !== undefined) {
      const record = await this.#ask('power-off')
      if (within > 0) await this.#tell(record, 'powerOff', deadline)
      if (await this.#ends(record, deadline)) continue
      if (!force) throw refuse(within, '"tare logs" shows what its console says; --force ends it at once.')
      this.#signal(record, SIGKILL)
      if (!(await this.#ends(record, performance.now() + KILLED)))
        throw refuse(KILLED, 'A process in it waits for a disk that does not answer, as "tare ps" may show.')
    }
  }

  /** Has it stop its services and boot anew; resolves when its init was started again. Rejects as {@link powerOff} does. */
  async reboot({ timeout = TIMEOUT }: RebootOptions = {}): Promise<void> {
    const within = parseDuration(timeout, 'timeout')
    const deadline = performance.now() + within
    const record = await this.#ask('reboot')
    await this.#tell(record, 'reboot', deadline)
    const failed = (reason: string, hint: string): TareError =>
      new TareError({ operation: 'reboot machine', target: this.name, reason, hint })
    while (performance.now() < deadline) {
      const now = readRecord(this.#directory, this.name)
      const anew = now !== undefined && (now.created !== record.created || now.boots !== record.boots)
      if (anew && now.started) return
      const keeper = record.monitor ?? record.starter
      if (!anew && !isRunning(keeper))
        throw failed('it has ended, and was not booted again', 'Boot it by "tare boot -d".')
      await sleep(LOOK)
    }
    throw failed(`it has not done so within ${within / 1000} s`, '"tare logs" shows what its console says.')
  }

  /**
   * Runs a program in it, beside its init and behind the same walls, in a control group of its own within the machine's. The
   * user is root, the directory `/`, unless given. A program that could not be started rejects, as {@link run}'s does.
   */
  exec(command: readonly string[], options: ExecOptions = {}): Program {
    return execInMachine(() => this.#known('run a program in machine'), command, options)
  }

  /** Starts a program that stays when this process ends. Resolves with its id on this host when it runs. */
  execDetached(command: readonly string[], options: ExecOptions = {}): Promise<number> {
    return execDetachedInMachine(this.#known('run a program in machine'), command, options)
  }

  /** What its console has said: the last megabyte is kept. Throws for a machine in the foreground, which has no log. */
  logs(options: LogOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    const { background } = this.#known('read the log of machine')
    if (!background) throw this.#onTerminal('read the log of machine')
    return readLog(machineFile(this.#directory, this.name, 'log'), options)
  }

  /** Connects with its console. Throws for a machine in the foreground: its console is where it was booted. */
  attach(): MachineConsole {
    const { background } = this.#known('attach to machine')
    if (!background) throw this.#onTerminal('attach to machine')
    return new MachineConsole(machineFile(this.#directory, this.name, 'console'))
  }

  #onTerminal(operation: string): TareError {
    return new TareError({
      operation,
      target: this.name,
      reason: 'its console is the terminal on which it was booted',
      hint: `"tare exec -it ${this.name} sh" runs a shell in it.`,
    })
  }

  #known(operation: string): MachineRecord {
    const record = this.#now()
    if (record === undefined) throw this.#ended(operation)
    return record
  }

  #now(): MachineRecord | undefined {
    const record = readRecord(this.#directory, this.name)
    return record?.created === this.#record.created ? record : undefined
  }

  #ended(operation: string): TareError {
    return new TareError({ operation, target: this.name, reason: 'it has ended', code: 'ERR_TARE_ENDED' })
  }

  /** Notes what it is asked to do, as soon as it has an init to be asked. Returns what is known of it. */
  async #ask(asked: 'power-off' | 'reboot'): Promise<MachineRecord> {
    for (;;) {
      const record = withMachinesLocked(this.#directory, () => {
        const now = this.#now()
        if (now === undefined || !isKept(now))
          throw this.#ended(asked === 'reboot' ? 'reboot machine' : 'power off machine')
        if (!now.started && isRunning(now.starter)) return undefined
        const noted = { ...now, asked }
        writeRecord(this.#directory, noted)
        return noted
      })
      if (record !== undefined) return record
      await sleep(LOOK)
    }
  }

  /** Signals its init, once that listens: what comes before, the kernel keeps from a PID 1 (pid_namespaces(7)). */
  async #tell(record: MachineRecord, what: 'powerOff' | 'reboot', deadline: number): Promise<void> {
    const kind = record.init?.kind ?? 'other'
    const signal = INIT_SIGNALS[kind][what]
    const deaf = Math.min(deadline, performance.now() + DEAF[kind])
    for (;;) {
      const pid = initPid(record)
      if (pid === undefined && (record.container === undefined || !isRunning(record.container))) return
      if (performance.now() >= deaf || (pid !== undefined && listensTo(pid, kind, signal))) break
      await sleep(LOOK)
    }
    // Through the process around it, which stands for it and no other: it passes signals on.
    this.#signal(record, signal)
  }

  #signal({ container }: MachineRecord, signal: number): void {
    const pidfd = container === undefined ? undefined : openProcess(container)
    if (pidfd === undefined) return
    try {
      sendPidfdSignal(pidfd, signal)
    } finally {
      trySyscall('close', pidfd)
    }
  }

  /** Whether it has ended before the time is up, and nothing of it is left. */
  async #ends(record: MachineRecord, deadline: number): Promise<boolean> {
    const { container, monitor } = record
    if (container !== undefined && !(await endsBefore(container, deadline))) return false
    // What cleans up after it.
    if (monitor !== undefined && !(await endsBefore(monitor, deadline))) return false
    while (this.#isThere(record)) {
      if (performance.now() >= deadline) return false
      await sleep(LOOK)
    }
    return true
  }

  #isThere({ created, boots, starter, monitor }: MachineRecord): boolean {
    const now = this.#now()
    return now?.created === created && now.boots === boots && isRunning(monitor ?? starter)
  }
}
