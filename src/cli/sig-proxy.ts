import type { Program } from '../index.ts'

/** Those that a person or a supervisor sends to end a program or to tell it something. */
const PASSED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const

/**
 * Passes signals to this process on to a program: it is the program's decision what they mean. A program that is PID 1
 * itself (--no-init) gets only those that it has handlers for (pid_namespaces(7)). Returns what takes that back.
 */
export const passSignals = (program: Program): (() => void) => {
  const pass = (signal: NodeJS.Signals): void => void program.kill(signal)
  for (const signal of PASSED) process.on(signal, pass)
  return () => {
    for (const signal of PASSED) process.off(signal, pass)
  }
}
