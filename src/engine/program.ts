import { Buffer } from 'node:buffer'
import type { Readable, Writable } from 'node:stream'
import { InputError, TareError } from '../linux/error.ts'
import { setWindowSize } from '../linux/pty.ts'
import { signalName, signalNumber } from '../linux/signal.ts'
import type { Ended, RunningProgram } from '../runtime/running.ts'
import { parseBytes, parseDuration } from '../runtime/units.ts'
import type { Collected } from './collect.ts'
import { linesOf } from './collect.ts'
import type { ProgramOptions } from './options.ts'
import type { Output } from './output.ts'
import type { Stdio } from './stdio.ts'

/** What became of a program. */
export interface Result {
  /** 0 to 255; undefined if a signal ended it. */
  readonly exitCode: number | undefined
  /** Name of the signal that ended it: `SIGKILL`. */
  readonly signal: string | undefined
  /** What it wrote, as text; empty unless it was collected. */
  readonly stdout: string
  readonly stderr: string
  /** Whether its time was up. */
  readonly timedOut: boolean
  /** Whether the kernel killed a process because the memory limit was reached. */
  readonly oomKilled: boolean
  /** Whether it wrote more than `maxBuffer`, and was killed for it. */
  readonly truncated: boolean
  readonly usage: Usage
}

export interface Usage {
  /** Microseconds of processor time, in user mode and in the kernel. */
  readonly userTime: number
  readonly systemTime: number
  /** Bytes in use at once, at most: of the whole container if it has a memory limit, else of its largest process. */
  readonly peakMemory: number | undefined
  /** Milliseconds from start to end. */
  readonly wallTime: number
}

const MAX_BUFFER = 16 << 20
const SIGKILL = 9
/** The most that a timer of Node waits, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

/** The parts of {@link ProgramOptions} that hold while a program runs, checked. */
export interface Watch {
  readonly timeout: number | undefined
  readonly maxBuffer: number
  readonly buffer: boolean
  readonly signal: AbortSignal | undefined
}

export const resolveWatch = (options: ProgramOptions): Watch => {
  const timeout = options.timeout === undefined ? undefined : parseDuration(options.timeout, 'timeout')
  if (timeout !== undefined && timeout > LONGEST_TIMER)
    throw new InputError({
      operation: 'use timeout',
      target: String(options.timeout),
      reason: 'the longest is 24 days',
    })
  return {
    timeout,
    maxBuffer: options.maxBuffer === undefined ? MAX_BUFFER : parseBytes(options.maxBuffer, 'maxBuffer'),
    buffer: options.buffer ?? true,
    signal: options.signal,
  }
}

/** What a program is made of: its streams, and its start. */
export interface ProgramParts {
  readonly stdio: Stdio
  readonly watch: Watch
  readonly start: () => Promise<RunningProgram>
  /** The container's address, once its link is reserved, which {@link start} does at once. */
  readonly address?: () => string | undefined
  /** Called if the program was never reached. */
  readonly failed?: () => void
}

/**
 * A program that was started, and the promise of what becomes of it. A non-zero exit is a result, not an exception;
 * the promise rejects if the program could not be started, or its signal was aborted.
 */
export class Program implements Promise<Result> {
  readonly [Symbol.toStringTag] = 'Program'
  readonly #parts: ProgramParts | undefined
  readonly #result: Promise<Result>
  #running: RunningProgram | undefined
  #pending: number | undefined
  readonly #taken = new Set<Output>()
  readonly #collecting = new Set<Output>()

  /** `parts` may throw: then the promise rejects. */
  constructor(parts: () => ProgramParts) {
    const began = performance.now()
    try {
      this.#parts = parts()
    } catch (error) {
      this.#result = Promise.reject(error)
      return
    }
    this.#result = this.#run(this.#parts, began)
  }

  /** Write to it what the program reads; undefined unless `stdin` is `pipe`, or the program has a terminal. */
  get stdin(): Writable | undefined {
    return this.#parts?.stdio.stdin
  }

  /** What the program writes; undefined where it goes elsewhere. With a terminal, errors too. */
  get stdout(): Readable | undefined {
    return this.#parts?.stdio.stdout?.stream
  }

  get stderr(): Readable | undefined {
    return this.#parts?.stdio.stderr?.stream
  }

  /** The id, on the host, of the PID 1 that ends with the container; undefined until it is started. */
  get pid(): number | undefined {
    return this.#running?.pid
  }

  /** The IPv4 address of a container that has a link to the host (network `veth`); undefined if it could not have it. */
  get address(): string | undefined {
    return this.#parts?.address?.()
  }

  /** Sends a signal to the program: a name or a number. False if it has ended. SIGKILL ends all of the container. */
  kill(signal: string | number = 'SIGTERM'): boolean {
    const number = signalNumber(signal)
    if (this.#running === undefined) {
      this.#pending = number
      return true
    }
    return this.#running.signal(number)
  }

  /** Tells the program's terminal that the window has another size. */
  resize(columns: number, rows: number): void {
    const master = this.#running?.terminal
    if (master !== undefined) setWindowSize(master, { columns, rows })
  }

  /**
   * The lines of its standard output, as they come; reading slowly slows the program down. To be called at once, or
   * with `buffer: false`. Throws what the promise rejects with.
   */
  async *lines(): AsyncGenerator<string, void, undefined> {
    const output = this.#parts?.stdio.stdout
    if (output !== undefined) yield* linesOf(this.#take(output), this.#parts?.watch.maxBuffer ?? MAX_BUFFER)
    await this.#result
  }

  // oxlint-disable-next-line unicorn/no-thenable -- to be awaited is what a started program is for
  then<A = Result, B = never>(
    resolved?: ((result: Result) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#result.then(resolved, rejected)
  }

  /** As a promise's. */
  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.#result.catch(rejected)
  }

  /** As a promise's. */
  finally(settled?: (() => void) | null): Promise<Result> {
    return this.#result.finally(settled)
  }

  #take(output: Output): Readable {
    if (this.#collecting.has(output))
      throw new TareError({
        operation: 'read the lines',
        reason: 'the output is being collected already',
        hint: 'Call lines() at once, or with buffer: false.',
      })
    this.#taken.add(output)
    return output.stream
  }

  async #run({ stdio, watch, start, failed }: ProgramParts, began: number): Promise<Result> {
    const { signal } = watch
    let timedOut = false
    let aborted = false
    let timer: NodeJS.Timeout | undefined
    const end = (): void => void this.kill(SIGKILL)
    const abort = (): void => {
      aborted = true
      end()
    }
    try {
      signal?.throwIfAborted()
      signal?.addEventListener('abort', abort, { once: true })
      if (watch.timeout !== undefined)
        timer = setTimeout(() => {
          timedOut = true
          end()
        }, watch.timeout)
      this.#running = await start()
    } catch (error) {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      stdio.abandon()
      throw error
    }
    stdio.handOver()
    const connected = stdio.connect(this.#running)
    if (this.#pending !== undefined) this.#running.signal(this.#pending)
    const settle = (): void => {
      stdio.stdout?.settle()
      stdio.stderr?.settle()
    }
    const outputs = [this.#collect(stdio.stdout, watch, end), this.#collect(stdio.stderr, watch, end)] as const
    try {
      const ended = await this.#running.ended.catch((error: unknown) => {
        failed?.()
        // Killed on the way to the program: that is what was wanted, and no error.
        if ((timedOut || aborted) && error instanceof TareError && error.code === 'ERR_TARE_KILLED') return KILLED
        throw error
      })
      settle()
      const [stdout, stderr] = await Promise.all(outputs)
      await connected
      if (aborted) throw signal?.reason
      return toResult(ended, stdout, stderr, timedOut, performance.now() - began)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      settle()
      // Nobody reads any more what is written to it.
      stdio.stdin?.destroy()
    }
  }

  #collect(output: Output | undefined, { buffer, maxBuffer }: Watch, end: () => void): Promise<Collected> {
    if (output === undefined || !buffer || this.#taken.has(output)) return Promise.resolve(NOTHING)
    this.#collecting.add(output)
    return output.collect(maxBuffer, end)
  }
}

const NOTHING: Collected = { bytes: Buffer.alloc(0), truncated: false }
const KILLED: Ended = {
  status: { kind: 'killed', signal: SIGKILL, coreDumped: false },
  userTime: 0,
  systemTime: 0,
  peakMemory: undefined,
  oomKilled: false,
}

const toResult = (ended: Ended, stdout: Collected, stderr: Collected, timedOut: boolean, wallTime: number): Result => ({
  exitCode: ended.status.kind === 'exited' ? ended.status.code : undefined,
  signal: ended.status.kind === 'killed' ? signalName(ended.status.signal) : undefined,
  stdout: stdout.bytes.toString('utf8'),
  stderr: stderr.bytes.toString('utf8'),
  timedOut,
  oomKilled: ended.oomKilled,
  truncated: stdout.truncated || stderr.truncated,
  usage: { userTime: ended.userTime, systemTime: ended.systemTime, peakMemory: ended.peakMemory, wallTime },
})
