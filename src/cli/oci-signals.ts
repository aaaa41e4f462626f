const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const

/** Passes signals to this process on to a program until that has ended; resolves with how it has. */
export const passSignals = async <T>(program: {
  readonly signal: (signal: number) => boolean
  readonly ended: () => Promise<T>
}): Promise<T> => {
  const pass = (_: NodeJS.Signals, number: number): void => void program.signal(number)
  for (const signal of SIGNALS) process.on(signal, pass)
  return program.ended().finally(() => {
    for (const signal of SIGNALS) process.off(signal, pass)
  })
}
