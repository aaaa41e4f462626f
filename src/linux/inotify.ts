import { syscall, trySyscall } from './syscall.ts'

/** What may happen to a file. inotify(7) */
export const IN_MODIFY = 0x2
export const IN_DELETE = 0x200

const IN_NONBLOCK_CLOEXEC = 0o2004000
const HEADER = 16
const BUFFER_SIZE = 16_384

/** Something happened to what is watched. */
export interface InotifyEvent {
  /** What `watch` returned. */
  readonly watch: number
  readonly mask: number
  /** Of the file in a directory that is watched; empty for the watched file itself. */
  readonly name: string
}

/** The structures that a read of an inotify descriptor returns, one after the other. */
export const decodeInotify = (bytes: Buffer): readonly InotifyEvent[] => {
  const events: InotifyEvent[] = []
  let at = 0
  while (at + HEADER <= bytes.length) {
    const length = bytes.readUInt32LE(at + 12)
    const end = at + HEADER + length
    if (end > bytes.length) break
    const padded = bytes.subarray(at + HEADER, end)
    const zero = padded.indexOf(0)
    const name = padded.subarray(0, zero < 0 ? undefined : zero).toString()
    events.push({ watch: bytes.readInt32LE(at), mask: bytes.readUInt32LE(at + 4), name })
    at = end
  }
  return events
}

/** Notices of what happens to files. Readable when there are some; close it. inotify(7) */
export class Inotify {
  readonly fd: number

  constructor() {
    const hint = 'Every user may have so many (fs.inotify.max_user_instances): end what has them, or raise it.'
    this.fd = syscall({ operation: 'make an inotify descriptor', hint }, 'inotify_init1', IN_NONBLOCK_CLOEXEC)
  }

  /** Watches a file for what is in the mask. Returns the number that its events have. */
  watch(path: string, mask: number): number {
    return syscall({ operation: 'watch', target: path }, 'inotify_add_watch', this.fd, path, mask)
  }

  /** What has happened since, without waiting. */
  read(): readonly InotifyEvent[] {
    const buffer = Buffer.alloc(BUFFER_SIZE)
    const length = trySyscall('read', this.fd, buffer, buffer.length)
    return length > 0 ? decodeInotify(buffer.subarray(0, length)) : []
  }

  close(): void {
    trySyscall('close', this.fd)
  }
}
