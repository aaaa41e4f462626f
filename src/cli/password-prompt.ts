import { getTermios, isTerminal, setTermios } from '../linux/index.ts'
import { UsageError } from './usage-error.ts'

const NEWLINE = 10
/** More than any password has, in bytes. */
const LIMIT = 4096
const ECHO = 0o10
/** Without ECHO a newline is still shown (termios(3)). */
const ECHONL = 0o100

const refuse = (reason: string, hint: string): UsageError => new UsageError(`cannot read a password: ${reason}`, hint)

/** All of standard input, which is one line. */
const readInput = async (): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    if (!Buffer.isBuffer(chunk)) continue
    chunks.push(chunk)
    length += chunk.length
    if (length > LIMIT) throw refuse(`standard input has more than ${LIMIT} bytes`, 'Give the password, and no more.')
  }
  const all = Buffer.concat(chunks)
  const line = all.at(-1) === NEWLINE ? all.subarray(0, -1) : all
  if (line.length === 0) throw refuse('standard input is empty', 'Give the password as its one line.')
  if (line.includes(NEWLINE))
    throw refuse('standard input has more than one line', 'Give the password as its one line.')
  return line
}

/** Lines as they are typed at the terminal that standard input is. */
const typedLines = async function* (): AsyncGenerator<Buffer, void> {
  let rest = Buffer.alloc(0)
  for await (const chunk of process.stdin) {
    if (Buffer.isBuffer(chunk)) rest = Buffer.concat([rest, chunk])
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield rest.subarray(0, end)
      rest = rest.subarray(end + 1)
    }
  }
}

/** Asks twice at the terminal, with the echo off. */
const ask = async (prompt: string): Promise<Buffer> => {
  const before = getTermios(0)
  let asked = prompt
  const show = (when: 'now' | 'flush'): void => {
    setTermios(0, { ...before, lflag: ((before.lflag & ~ECHO) | ECHONL) >>> 0 }, when)
    process.stderr.write(asked)
  }
  // A shell that stopped us, and lets us go on, has given the terminal its echo back.
  const again = (): void => show('now')
  // What ends this process in the middle, ^C too, leaves the rest to Node, which restores the settings.
  const restore = (): void => setTermios(0, before)
  process.on('SIGCONT', again)
  process.once('exit', restore)
  const lines = typedLines()
  const next = async (text: string): Promise<Buffer> => {
    asked = text
    show('flush')
    const { value } = await lines.next()
    if (value === undefined) throw refuse('none was typed', 'Nothing has changed.')
    return value
  }
  try {
    const first = await next(prompt)
    // Nothing to be typed a second time.
    if (first.length === 0) throw refuse('it is empty', 'Nothing has changed. --delete takes a password away.')
    const second = await next('Once more: ')
    if (!first.equals(second)) throw refuse('the two are not the same', 'Nothing has changed. Try again.')
    return first
  } finally {
    process.off('SIGCONT', again)
    process.off('exit', restore)
    restore()
    process.stdin.destroy()
  }
}

/** The password that is typed, twice, at the terminal, or else what standard input says. Rejects with {@link UsageError}. */
export const readPassword = (prompt: string): Promise<Buffer> => (isTerminal(0) ? ask(prompt) : readInput())
