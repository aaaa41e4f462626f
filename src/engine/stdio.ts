import { write } from 'node:fs'
import { PassThrough, Readable, Writable, pipeline } from 'node:stream'
import { ReadStream } from 'node:tty'
import { InputError } from '../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDWR } from '../linux/fcntl.ts'
import { syscall, trySyscall } from '../linux/syscall.ts'
import { Descriptors } from '../runtime/descriptors.ts'
import type { RunningProgram } from '../runtime/running.ts'
import { makePipe } from '../runtime/stage.ts'
import type { OutputOption, ProgramOptions } from './options.ts'
import type { Output } from './output.ts'
import { PipeOutput, streamOutput } from './output.ts'
import { PipeWriter } from './pipe-writer.ts'

/** Standard input, output and error of a program: its descriptors, and our ends of them as streams. */
export interface Stdio {
  readonly descriptors: readonly [stdin: number, stdout: number, stderr: number]
  readonly stdin: Writable | undefined
  readonly stdout: Output | undefined
  readonly stderr: Output | undefined
  /** To be called when the container is on its way. */
  readonly connect: (running: RunningProgram) => Promise<void>
  /** Closes the program's descriptors on this side; to be called once it has them. */
  readonly handOver: () => void
  /** Gives all up. */
  readonly abandon: () => void
}

/** A descriptor of /dev/null, by the bare system call: several times faster than node:fs. The caller closes it. */
export const openNothing = (): number =>
  syscall({ operation: 'open', target: '/dev/null' }, 'openat', AT_FDCWD, '/dev/null', O_RDWR | O_CLOEXEC, 0)

const OUTPUTS: readonly OutputOption[] = ['pipe', 'inherit', 'ignore']

const check = (option: OutputOption, what: string): OutputOption => {
  if (OUTPUTS.includes(option)) return option
  throw new InputError({
    operation: `use ${what}`,
    target: JSON.stringify(option),
    reason: 'it is pipe, inherit or ignore',
  })
}

/** What is written to a program that has closed its input is lost, as in a shell: no error. */
const feed = (source: Readable, sink: Writable): void => {
  pipeline(source, sink, () => undefined)
}

/** Prepares the standard streams of a program, as its options want them. */
export const makeStdio = (options: ProgramOptions): Stdio => {
  const { stdin = 'ignore' } = options
  const theirs = new Descriptors()
  let nothing: number | undefined
  const ignored = (): number => (nothing ??= theirs.add(openNothing()))
  const streams: { stdin?: PipeWriter; stdout?: PipeOutput; stderr?: PipeOutput } = {}
  const output = (option: OutputOption, what: 'stdout' | 'stderr', own: number): number => {
    if (check(option, what) === 'inherit') return own
    if (option === 'ignore') return ignored()
    const [read, end] = makePipe()
    const ours = new PipeOutput(read)
    streams[what] = ours
    // Not collected, it is somebody's to read, now or later.
    if (options.buffer === false) void ours.stream
    return theirs.add(end)
  }
  const input = (): number => {
    if (stdin === 'ignore') return ignored()
    if (stdin === 'inherit') return 0
    if (typeof stdin === 'string' || stdin === null || typeof stdin !== 'object')
      throw new InputError({
        operation: 'use stdin',
        target: JSON.stringify(stdin),
        reason: 'it is ignore, inherit, pipe, { text }, bytes or a stream',
      })
    return 0
  }
  const piped = (): number => {
    const [read, end] = makePipe()
    const sink = new PipeWriter(end)
    // A program may end without reading all: that is no failure of ours.
    sink.on('error', () => undefined)
    streams.stdin = sink
    if (stdin instanceof Readable) feed(stdin, sink)
    else if (stdin instanceof Uint8Array) sink.end(stdin)
    else if (typeof stdin === 'object' && 'text' in stdin) sink.end(stdin.text)
    return theirs.add(read)
  }
  try {
    const first = stdin === 'pipe' || (typeof stdin === 'object' && stdin !== null) ? piped() : input()
    const second = output(options.stdout ?? 'pipe', 'stdout', 1)
    const third = output(options.stderr ?? 'pipe', 'stderr', 2)
    return {
      descriptors: [first, second, third],
      stdin: streams.stdin,
      stdout: streams.stdout,
      stderr: streams.stderr,
      connect: () => Promise.resolve(),
      handOver: () => theirs.closeAll(),
      abandon: () => {
        theirs.closeAll()
        for (const stream of Object.values(streams)) stream.destroy()
      },
    }
  } catch (error) {
    theirs.closeAll()
    for (const stream of Object.values(streams)) stream.destroy()
    throw error
  }
}

/**
 * The streams of a program with a terminal. The terminal is made in the container, on its own devpts, and its other
 * side reaches us when the container is on its way: until then what is written waits.
 */
export const makeTerminal = (): Stdio => {
  const stdin = new PassThrough()
  const stdout = new PassThrough()
  const nothing = openNothing()
  return {
    descriptors: [nothing, nothing, nothing],
    stdin,
    stdout: streamOutput(stdout),
    stderr: undefined,
    handOver: () => void trySyscall('close', nothing),
    connect: async (running) => {
      const master = await running.terminalReady
      if (master === undefined) {
        stdout.end()
        return
      }
      const terminal = new ReadStream(master)
      // When the last process has closed its side, reading fails with EIO: that is a terminal's end.
      terminal.on('error', () => stdout.end())
      terminal.on('close', () => {
        stdout.end()
        stdin.destroy()
      })
      terminal.pipe(stdout)
      stdin.pipe(terminalWriter(master))
    },
    abandon: () => {
      trySyscall('close', nothing)
      stdin.destroy()
      stdout.destroy()
    },
  }
}

/** Writes to a terminal by its own descriptor: tty.WriteStream would set it up as this process's own. */
const terminalWriter = (master: number): Writable =>
  new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      write(master, chunk, (error) => {
        // The program may have ended.
        done(error?.code === 'EIO' || error?.code === 'EBADF' ? null : error)
      })
    },
  })
