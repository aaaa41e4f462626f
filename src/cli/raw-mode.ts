import { enterRawMode, isTerminal, setTermios, trySyscall } from '../linux/index.ts'

const leave = (status: number): void => void trySyscall('exit_group', status)

/**
 * Puts the terminal on standard input, if it is one, into raw mode. Returns what gives it its settings back, which is
 * done at the end of this process in any case.
 *
 * One that was hung up has no settings any more. Node, which gives terminals theirs back at its end too, aborts over
 * that: so we end without it then.
 */
export const typeRaw = (): (() => void) => {
  if (!isTerminal(0)) return () => undefined
  const before = enterRawMode(0)
  const restore = (): boolean => {
    const isThere = isTerminal(0)
    if (isThere) setTermios(0, before)
    return isThere
  }
  const atExit = (status: number): void => {
    if (!restore()) leave(status)
  }
  process.once('exit', atExit)
  return () => {
    process.off('exit', atExit)
    if (!restore()) process.once('exit', leave)
  }
}
