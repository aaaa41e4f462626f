import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { InputError, TareError } from '../linux/error.ts'
import { O_CLOEXEC, O_DIRECTORY, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY } from '../linux/fcntl.ts'
import { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../linux/open-how.ts'
import { openat2 } from '../linux/openat2.ts'
import { fromNodeError } from '../linux/proc.ts'
import { trySyscall } from '../linux/syscall.ts'

/** What is at a path of a tree, links followed. */
export interface TreeFile {
  readonly type: 'file' | 'directory' | 'other'
  /** Its own name, which may be another than that of the link which led to it. */
  readonly name: string
  readonly executable: boolean
  readonly inode: bigint
}

/** The most that is read of one file, in bytes. */
const LARGEST = 16 << 20

const ABSENT: readonly string[] = ['ENOENT', 'ENOTDIR', 'ELOOP']

/**
 * A directory with a file system tree in it that somebody else may have made, looked at from outside: links in it lead
 * nowhere else, and only regular files are opened. Close it.
 */
export class SystemTree {
  readonly path: string
  /** The owners of its top directory. */
  readonly uid: number
  readonly gid: number
  readonly #fd: number

  /** Throws {@link InputError} where there is no directory. */
  constructor(directory: string) {
    this.path = resolve(directory)
    const operation = `use ${this.path} as a system`
    try {
      this.#fd = openSync(this.path, O_PATH | O_DIRECTORY | O_CLOEXEC)
    } catch (error) {
      const { code } = fromNodeError(error, 'open', this.path)
      const reason = REASONS[code]
      if (reason === undefined) throw error
      throw new InputError({ operation, reason, hint: 'Give the directory that holds it.', cause: error })
    }
    const { uid, gid } = fstatSync(this.#fd)
    this.uid = uid
    this.gid = gid
  }

  /** What is at a path, or where its links lead within the tree; undefined for nothing. */
  find(path: string): TreeFile | undefined {
    const fd = this.#open(path)
    if (fd === undefined) return undefined
    try {
      const status = fstatSync(fd, { bigint: true })
      return {
        type: status.isFile() ? 'file' : status.isDirectory() ? 'directory' : 'other',
        name: basename(readlinkSync(`/proc/self/fd/${fd}`)),
        executable: (status.mode & 0o111n) !== 0n,
        inode: status.ino,
      }
    } finally {
      closeSync(fd)
    }
  }

  /** What a symbolic link says; undefined where there is none. */
  link(path: string): string | undefined {
    const fd = this.#open(path, O_PATH | O_NOFOLLOW)
    if (fd === undefined) return undefined
    try {
      const bytes = new Uint8Array(4096)
      const length = trySyscall('readlinkat', fd, '', bytes, bytes.length)
      // ENOENT, for a descriptor of something else (readlink(2)).
      return length < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length))
    } finally {
      closeSync(fd)
    }
  }

  /** The text of a regular file; undefined where there is none. Throws {@link TareError} for one that can't be read. */
  read(path: string): string | undefined {
    // Nothing else is opened: a fifo would keep us waiting, and a device may be anything.
    if (this.find(path)?.type !== 'file') return undefined
    const fd = this.#open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
    if (fd === undefined) return undefined
    try {
      const status = fstatSync(fd)
      if (!status.isFile()) return undefined
      if (status.size > LARGEST)
        throw new TareError({
          operation: 'read',
          target: `${path} of ${this.path}`,
          reason: `it is larger than ${LARGEST >> 20} MiB`,
        })
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  }

  close(): void {
    closeSync(this.#fd)
  }

  #open(path: string, flags = O_PATH): number | undefined {
    const how = { flags: flags | O_CLOEXEC, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }
    try {
      return openat2(path, how, this.#fd)
    } catch (error) {
      if (error instanceof TareError && ABSENT.includes(error.code)) return undefined
      throw error
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it is not a directory',
  EACCES: 'you may not go there',
}

/** Opens a tree for as long as `use` takes. */
export const withTree = <T>(directory: string, use: (tree: SystemTree) => T): T => {
  const tree = new SystemTree(directory)
  try {
    return use(tree)
  } finally {
    tree.close()
  }
}
