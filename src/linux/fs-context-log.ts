import { trySyscall } from './syscall.ts'

/** One message that a file system left in its context. */
export interface FsContextMessage {
  readonly level: 'error' | 'warning' | 'info'
  /** In the file system's own words: `tmpfs: Bad value for 'size'`. */
  readonly text: string
}

const LEVELS: Readonly<Record<string, FsContextMessage['level']>> = { e: 'error', w: 'warning', i: 'info' }
const SIZE = 4096
const MOST = 64

/** Reads `e tmpfs: Bad value`; what has no level counts as information. */
export const parseFsContextMessage = (text: string): FsContextMessage => {
  const line = text.trimEnd()
  const level = line.charAt(1) === ' ' ? LEVELS[line.charAt(0)] : undefined
  return level === undefined ? { level: 'info', text: line } : { level, text: line.slice(2) }
}

/**
 * Takes the messages out of the descriptor that fsopen(2) or fspick(2) gave: why fsconfig(2) or fsmount(2)
 * failed, where the errno alone doesn't tell. Each message can be read once.
 */
export const readFsContextLog = (fd: number): readonly FsContextMessage[] => {
  const messages: FsContextMessage[] = []
  const buffer = new Uint8Array(SIZE)
  while (messages.length < MOST) {
    const length = trySyscall('read', fd, buffer, buffer.length)
    if (length <= 0) break
    messages.push(parseFsContextMessage(Buffer.from(buffer.subarray(0, length)).toString()))
  }
  return messages
}
