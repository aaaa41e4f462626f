import { ERRNO } from '../errno.ts'
import { TareError } from '../error.ts'
import { trySyscall } from '../syscall.ts'
import { failedWith } from './file.ts'

const AT_FDCWD = -100
const O_RDONLY_CLOEXEC = 0o2000000
const FIRST_SIZE = 4096

/** Errors by which a control file says that it, or its group, isn't there: any more, or at all. */
const ABSENT: readonly number[] = ['ENOENT', 'ENODEV', 'EOPNOTSUPP'].map((name) => -(ERRNO[name] ?? 0))

/** How many files may stay open, and a buffer to read them with. */
export interface FileBudget {
  left: number
  buffer: Buffer
}

/** A budget for so many files that stay open. */
export const fileBudget = (left: number): FileBudget => ({ left, buffer: Buffer.allocUnsafe(FIRST_SIZE) })

/**
 * A control file that is read again and again. It stays open as long as the budget allows, so that reading it is one
 * system call: reading at offset 0 makes the kernel write the text anew.
 */
export class KeptFile {
  readonly #path: string
  readonly #budget: FileBudget
  #fd: number | undefined

  constructor(path: string, budget: FileBudget) {
    this.#path = path
    this.#budget = budget
  }

  /** The text; undefined if the file isn't there, or this user may not read it. Throws {@link TareError}. */
  read(): string | undefined {
    if (this.#fd !== undefined) return this.#take(this.#fd)
    const fd = trySyscall('openat', AT_FDCWD, this.#path, O_RDONLY_CLOEXEC, 0)
    if (fd < 0) return this.#fail('open', fd)
    const keep = this.#budget.left > 0
    if (keep) {
      this.#budget.left -= 1
      this.#fd = fd
      return this.#take(fd)
    }
    try {
      return this.#take(fd)
    } finally {
      trySyscall('close', fd)
    }
  }

  close(): void {
    if (this.#fd === undefined) return
    trySyscall('close', this.#fd)
    this.#fd = undefined
    this.#budget.left += 1
  }

  #take(fd: number): string | undefined {
    for (;;) {
      const { buffer } = this.#budget
      const length = trySyscall('pread64', fd, buffer, buffer.length, 0)
      if (length < 0) return this.#fail('read', length)
      if (length < buffer.length) return buffer.toString('latin1', 0, length)
      this.#budget.buffer = Buffer.allocUnsafe(2 * buffer.length)
    }
  }

  #fail(operation: string, result: number): undefined {
    if (!ABSENT.includes(result) && !failedWith(result, 'EACCES'))
      throw new TareError({ operation, target: this.#path, syscall: operation, errno: -result })
    this.close()
    return undefined
  }
}
