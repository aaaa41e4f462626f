import type { Program, Result, RunOptions } from '../index.ts'
import { signalNumber } from '../linux/index.ts'
import type { Wanted } from './attach.ts'
import { attach } from './attach.ts'
import { EXIT_STATUS, exitStatusOf, signalStatus } from './exit-status.ts'
import type { RunReport } from './run-report.ts'
import { passSignals } from './sig-proxy.ts'
import type { Terminal } from './terminal.ts'

const SIGPIPE = 13
/** Whoever read the output has gone, or the terminal has. */
const GONE: readonly (string | undefined)[] = ['EPIPE', 'ECONNRESET', 'EIO']

/** The exit status for how a program has ended: its own, or 128 and the signal that killed it. */
const statusOf = ({ exitCode, signal }: Result): number =>
  exitCode ?? signalStatus(signal === undefined ? 0 : signalNumber(signal))

/** What the exit status doesn't say. */
const remarks = ({ timedOut, oomKilled }: Result, { timeout, memory }: RunOptions): readonly string[] => [
  ...(timedOut ? [`tare: timed out after ${String(timeout)}: everything in the container was killed`] : []),
  ...(oomKilled
    ? [`tare: the kernel killed a process: the memory limit${memory === undefined ? '' : ` of ${memory}`} was reached`]
    : []),
]

const lost = (error: NodeJS.ErrnoException, terminal: Terminal): number => {
  // As if SIGPIPE, which Node ignores, had ended us.
  if (GONE.includes(error.code)) return signalStatus(SIGPIPE)
  terminal.warn(`tare: cannot write what the program wrote: ${error.code ?? error.message}`)
  return EXIT_STATUS.failure
}

/** How a contained program is followed. */
export interface FollowOptions {
  readonly wanted: Wanted
  /** What it was started with, for the words about its end. */
  readonly asked: Pick<RunOptions, 'timeout' | 'memory'>
  readonly report: (report: RunReport) => void
  readonly terminal: Terminal
}

/**
 * Connects a program that was started with the options of `streamOptions` with our streams, passes our signals on, and
 * resolves with the exit status when it has ended. To be called at once. Rejects where it could not be started.
 */
export const followProgram = async (
  program: Program,
  { wanted, asked, report, terminal }: FollowOptions,
): Promise<number> => {
  const stopPassing = passSignals(program)
  const attachment = attach(program, wanted)
  try {
    const result = await program
    const error = await attachment.drained
    attachment.detach()
    for (const remark of remarks(result, asked)) terminal.warn(remark)
    const exitStatus = error === undefined ? statusOf(result) : lost(error, terminal)
    report({ exitStatus, result })
    return exitStatus
  } catch (error) {
    attachment.detach()
    report({ exitStatus: exitStatusOf(error), error })
    throw error
  } finally {
    stopPassing()
  }
}
