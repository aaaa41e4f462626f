import type { Buffer } from 'node:buffer'
import { fstatSync } from 'node:fs'
import { IN_MODIFY, Inotify } from '../../linux/inotify.ts'
import { whenEnded } from '../../linux/pidfd.ts'
import { ConsoleLog } from './console-log.ts'

/** That the number of its names has changed: that it was removed, as far as it is open (inotify(7)). */
const IN_ATTRIB = 0x4
const NEWLINE = 10

export interface LogOptions {
  /** So many of the last lines; all that are kept if not given. */
  readonly lines?: number
  /** Goes on with what the console says from now on, until the machine has ended. */
  readonly follow?: boolean
}

/** Where the last lines begin; an unfinished one counts. */
const tailStart = (bytes: Uint8Array, lines: number): number => {
  if (lines === 0) return bytes.length
  let at = bytes.length - (bytes.at(-1) === NEWLINE ? 1 : 0)
  for (let found = 0; at > 0; at--) if (bytes[at - 1] === NEWLINE && (found += 1) === lines) return at
  return 0
}

/** What a console has said, as it came: with a terminal's escape sequences. */
export async function* readLog(
  path: string,
  { lines, follow = false }: LogOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const log = new ConsoleLog(path)
  const inotify = follow ? new Inotify() : undefined
  try {
    inotify?.watch(path, IN_MODIFY | IN_ATTRIB)
    let { to, bytes } = log.read(0)
    yield lines === undefined ? bytes : bytes.subarray(tailStart(bytes, lines))
    if (inotify === undefined) return
    for (;;) {
      // First whether it ends, then what was there before that.
      const last = fstatSync(log.fd).nlink === 0
      ;({ to, bytes } = log.read(to))
      if (bytes.length > 0) yield bytes
      if (last) return
      await whenEnded(inotify.fd)
      inotify.read()
    }
  } finally {
    inotify?.close()
    log.close()
  }
}
