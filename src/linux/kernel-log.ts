import { errnoName } from './errno.ts'
import { TareError } from './error.ts'
import { AT_FDCWD } from './fcntl.ts'
import { hintedSyscall } from './hinted-syscall.ts'
import { trySyscall } from './syscall.ts'

const O_RDONLY_NONBLOCK_CLOEXEC = 0o2004000
const SEEK_END = 2
/** CONSOLE_EXT_LOG_MAX: no record is longer. */
const LONGEST = 8192

const HINT = 'It takes CAP_SYSLOG where kernel.dmesg_restrict is 1, as it is on most distributions: run as root.'

/** What is above is a facility of user space, which may write there too: `12,…` is 8 × 1 + 4. */
const HIGHEST_KERNEL_PRIORITY = 7

/**
 * The text of a record (Documentation/ABI/testing/dev-kmsg), its escapes undone; without what continues
 * below it. Undefined if it isn't the kernel's own.
 */
export const parseKernelLogRecord = (record: string): string | undefined => {
  if (Number.parseInt(record, 10) > HIGHEST_KERNEL_PRIORITY) return undefined
  const [first = ''] = record.slice(record.indexOf(';') + 1).split('\n')
  const bytes = first.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}

/** The kernel's messages from now on. Readable when there are some; close it. */
export class KernelLog {
  readonly fd: number

  /** Throws {@link TareError}: not everybody may read them. */
  constructor() {
    const purpose = { operation: 'read the messages of the kernel from', target: '/dev/kmsg' }
    const hints = { EPERM: HINT, EACCES: HINT }
    this.fd = hintedSyscall(purpose, hints, 'openat', AT_FDCWD, '/dev/kmsg', O_RDONLY_NONBLOCK_CLOEXEC, 0)
    trySyscall('lseek', this.fd, 0, SEEK_END)
  }

  /** The messages since, without waiting. */
  read(): readonly string[] {
    const messages: string[] = []
    const buffer = Buffer.alloc(LONGEST)
    for (;;) {
      const length = trySyscall('read', this.fd, buffer, buffer.length)
      if (length >= 0) {
        const message = parseKernelLogRecord(buffer.toString('latin1', 0, length))
        if (message !== undefined) messages.push(message)
        continue
      }
      const error = errnoName(-length)
      if (error === 'EAGAIN') return messages
      // Messages were overwritten before they were read: it goes on with the oldest there is.
      if (error !== 'EPIPE' && error !== 'EINTR')
        throw new TareError({ operation: 'read', target: '/dev/kmsg', syscall: 'read', errno: -length })
    }
  }

  close(): void {
    trySyscall('close', this.fd)
  }
}
