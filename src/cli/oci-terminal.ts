import { write } from 'node:fs'
import { PassThrough, Writable } from 'node:stream'
import { ReadStream } from 'node:tty'
import { setWindowSize, signalNumber } from '../linux/index.ts'
import type { Attachment } from './attach.ts'
import { attach, windowSize } from './attach.ts'

/** Writes to a terminal by its own descriptor: tty.WriteStream would set it up as this process's own. */
const writer = (fd: number): Writable =>
  new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      // The program may have ended.
      write(fd, chunk, (error) => done(error?.code === 'EIO' || error?.code === 'EBADF' ? null : error))
    },
  })

/** Connects the terminal of a container's program with ours, which types into it as it is: in raw mode. */
export const attachConsole = (fd: number, signal: (signal: number) => boolean): Attachment => {
  const size = windowSize()
  if (size !== undefined) setWindowSize(fd, { rows: size.rows, columns: size.columns })
  const stdout = new PassThrough()
  const terminal = new ReadStream(fd)
  // When the last process has closed its side, reading fails with EIO: that is a terminal's end.
  terminal.on('error', () => stdout.end())
  terminal.on('close', () => stdout.end())
  terminal.pipe(stdout)
  return attach(
    {
      stdin: writer(fd),
      stdout,
      stderr: undefined,
      kill: (name = 'SIGTERM') => signal(signalNumber(name)),
      resize: (columns, rows) => setWindowSize(fd, { columns, rows }),
    },
    { interactive: true, tty: true },
  )
}
