import type { Attachment } from './attach.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const

/** Loaded only for a program with a terminal. */
const attachTo = async (fd: number, signal: (signal: number) => boolean): Promise<Attachment> => {
  const { attachConsole } = await import('./oci-terminal.ts')
  return attachConsole(fd, signal)
}

/** Passes signals to this process on to a program, and connects its terminal if it has one, until it has ended; resolves with how it has. */
export const passSignals = async <T>(program: {
  readonly signal: (signal: number) => boolean
  readonly ended: () => Promise<T>
  readonly terminal: number | undefined
}): Promise<T> => {
  const pass = (_: NodeJS.Signals, number: number): void => void program.signal(number)
  for (const signal of SIGNALS) process.on(signal, pass)
  const attachment = program.terminal === undefined ? undefined : await attachTo(program.terminal, program.signal)
  try {
    const ended = await program.ended()
    await attachment?.drained
    return ended
  } finally {
    attachment?.detach()
    for (const signal of SIGNALS) process.off(signal, pass)
  }
}
