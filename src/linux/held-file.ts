import { closeSync } from 'node:fs'

import { InputError } from './error.ts'
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_PATH } from './fcntl.ts'
import type { FileStatus } from './file-status.ts'
import { fileStatus, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from './file-status.ts'
import type { Hints } from './hinted-syscall.ts'
import { hintedSyscall } from './hinted-syscall.ts'
import type { FilesystemStatus } from './statfs.ts'
import { filesystemStatus } from './statfs.ts'
import { trySyscall } from './syscall.ts'

const HINTS: Hints = {
  ENOENT: 'There is no such file.',
  ENOTDIR: 'A part of the path is no directory.',
  EACCES: 'A directory on the way to it may not be searched: that takes CAP_DAC_READ_SEARCH.',
  ELOOP: 'The path goes through too many symbolic links.',
}

/**
 * A regular file, held by a descriptor that neither reads nor writes it (O_PATH): what is looked at through it and what
 * is changed through it is one and the same file, whatever becomes of its path. Close it.
 */
export class HeldFile {
  /** As the caller named it. */
  readonly path: string
  readonly status: FileStatus
  readonly filesystem: FilesystemStatus
  readonly #fd: number

  /**
   * `operation` words the errors: `read the capabilities of`. Throws {@link InputError} for what is no regular file; a
   * symbolic link at the end of the path isn't followed.
   */
  constructor(operation: string, path: string, dirfd: number = AT_FDCWD, name: string | Uint8Array = path) {
    this.path = path
    const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC
    this.#fd = hintedSyscall({ operation, target: path }, HINTS, 'openat', dirfd, name, flags, 0)
    try {
      this.status = fileStatus({ dirfd: this.#fd, path: '' })
      this.filesystem = filesystemStatus(this.#fd)
      this.#check(operation)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** A path that leads to this very file, for calls that take no descriptor of this sort. */
  get magicPath(): string {
    return `/proc/self/fd/${this.#fd}`
  }

  close(): void {
    closeSync(this.#fd)
  }

  #leadsTo(): string {
    const bytes = Buffer.alloc(4096)
    const length = trySyscall('readlinkat', this.#fd, '', bytes, bytes.length)
    return bytes.toString('utf8', 0, Math.max(0, length))
  }

  #check(operation: string): void {
    const type = this.status.mode & S_IFMT
    if (type === S_IFREG) return
    const refuse = (reason: string, hint: string): InputError =>
      new InputError({ operation, target: this.path, reason, hint })
    if (type === S_IFLNK) {
      throw refuse('it is a symbolic link', `Name the file that it leads to: ${this.#leadsTo()}`)
    }
    throw refuse(
      type === S_IFDIR ? 'it is a directory' : 'it is no regular file',
      'Only regular files have capabilities: programs.',
    )
  }
}
