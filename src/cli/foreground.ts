import type { LaunchOptions, Program, Result } from '../index.ts'
import { launch } from '../index.ts'
import { ERRNO, TareError, isTerminal, readProcessStat, signalNumber, trySyscall, waitid } from '../linux/index.ts'
import { signalStatus } from './exit-status.ts'

/** What a terminal sends to all of its foreground group, when somebody types ^C or ^\. */
const TYPED = ['SIGINT', 'SIGQUIT'] as const
/** What a person or a supervisor sends to one process. */
const SENT = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const

/** Whether what is typed at the terminal reaches this process group, and so the program, which is in it too. */
const inForeground = (): boolean => {
  const { pgrp, foreground } = readProcessStat('self')
  return pgrp === foreground
}

/**
 * Stops when the program has stopped by itself, as a shell's `suspend` does, and lets it go on when we do: the shell
 * that waits for us sees but us. Where ^Z stops both of us at once there is nothing left to do.
 */
const followStop = (program: Program): void => {
  const { pid } = program
  if (pid === undefined || !isStopped(pid)) return
  process.kill(process.pid, 'SIGSTOP')
  program.kill('SIGCONT')
}

const isStopped = (pid: number): boolean => {
  try {
    return waitid({ pid }, { stopped: true, noWait: true })?.status.kind === 'stopped'
  } catch (error) {
    // It has ended, and has been waited for.
    if (error instanceof TareError && error.errno === ERRNO['ECHILD']) return false
    throw error
  }
}

/**
 * The exit status for how a program has ended: its own, or 128 and the signal that killed it. Killed by a ^C that
 * reached us as well we end by it too: else a shell script would take the interruption for dealt with, and go on.
 */
const statusOf = ({ exitCode, signal }: Result, interrupted: boolean): number => {
  if (signal === 'SIGINT' && interrupted) process.kill(process.pid, 'SIGINT')
  return exitCode ?? signalStatus(signal === undefined ? 0 : signalNumber(signal))
}

/**
 * At its end Node gives terminals back the settings that they had when it began. What the program has set, as stty(1)
 * does, is to stay: so the process ends without that.
 */
const keepTerminalSettings = (): void => {
  if ([0, 1, 2].some(isTerminal)) process.once('exit', (status) => void trySyscall('exit_group', status))
}

/**
 * Runs a program of this host with our own standard streams, in our session and process group, so that the terminal and
 * its keys are the program's, and resolves with the exit status. Signals that are sent to us are passed on to it.
 *
 * Rejects as {@link launch} does.
 */
export const runInForeground = async (command: readonly string[], options: LaunchOptions): Promise<number> => {
  let interrupted = false
  const type = (signal: NodeJS.Signals): void => {
    if (!inForeground()) program.kill(signal)
    else interrupted ||= signal === 'SIGINT'
  }
  const send = (signal: NodeJS.Signals): void => void program.kill(signal)
  const change = (): void => followStop(program)
  const listeners = [
    ...TYPED.map((signal) => [signal, type] as const),
    ...SENT.map((signal) => [signal, send] as const),
    ['SIGCHLD', change] as const,
  ]
  // Before the program is started: a signal is either passed on, or ends us and nothing has begun.
  for (const [signal, listener] of listeners) process.on(signal, listener)
  const program = launch(command, { ...options, stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' })
  const result = await program.finally(() => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
  })
  keepTerminalSettings()
  return statusOf(result, interrupted)
}
