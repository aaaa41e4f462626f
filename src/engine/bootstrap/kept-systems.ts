import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TareError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Builder } from './helper.ts'
import { runHelper } from './helper.ts'

const LOCK_EX = 2
const LOCK_NB = 4
const DAY = 86_400_000
/** Milliseconds for which a system is kept that nobody takes a copy of. */
const OLDEST = 30 * DAY
/** Bytes of all that are kept. */
const LARGEST = 4 * 2 ** 30
/** Milliseconds between looks at a lock that another process has. */
const WAIT = 200

const TAR = ['tar', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--acls'] as const

/** Where systems are kept, unless it is said otherwise. */
export const defaultCacheDirectory = ({ root }: Builder, env: NodeJS.ProcessEnv = process.env): string => {
  if (root) return '/var/cache/tare/bootstrap'
  const base = env['XDG_CACHE_HOME']
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.cache'), 'tare/bootstrap')
}

/** One word for everything that makes one system like another. */
export const keyOf = (parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('hex').slice(0, 32)
}

const lock = (fd: number): boolean => trySyscall('flock', fd, LOCK_EX | LOCK_NB) === 0

/** Makes the directory, so that nobody else may write to it: what is in it becomes whole systems. */
const prepareDirectory = (directory: string): void => {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw fromNodeError(error, 'keep systems in', directory, {
      EACCES: 'Do without the cache, or name another directory.',
    })
  }
  const stats = lstatSync(directory)
  if (stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0) return
  throw new TareError({
    operation: 'keep systems in',
    target: directory,
    reason: 'others may write there',
    hint: 'Make it yours alone (chmod 700), do without the cache, or name another directory.',
  })
}

/** One system that is kept, or is to be: nobody else looks at it as long as this is open. */
export class KeptSystem {
  readonly #directory: string
  readonly #name: string
  readonly #fd: number

  private constructor(directory: string, name: string, fd: number) {
    this.#directory = directory
    this.#name = name
    this.#fd = fd
  }

  /** Waits for whoever has it. */
  static async open(directory: string, name: string, signal: AbortSignal | undefined): Promise<KeptSystem> {
    prepareDirectory(directory)
    const path = join(directory, `${name}.lock`)
    for (;;) {
      const fd = openLock(path)
      if (lock(fd) && isAt(path, fd)) return new KeptSystem(directory, name, fd)
      closeSync(fd)
      await sleep(WAIT, undefined, signal === undefined ? {} : { signal })
    }
  }

  get #path(): string {
    return join(this.#directory, `${this.#name}.tar`)
  }

  get exists(): boolean {
    return existsSync(this.#path)
  }

  /** Copies it into an empty directory. False where it can't be read: it is forgotten then. */
  async copyTo(tree: string, builder: Builder, signal: AbortSignal | undefined): Promise<boolean> {
    const command = [...TAR, '-xpf', this.#path, '-C', tree]
    const { ok } = await runHelper(command, builder, { walls: false, signal })
    if (ok) utimesSync(this.#path, new Date(), new Date())
    else rmSync(this.#path, { force: true })
    return ok
  }

  /** Keeps what is in a directory. A sentence if that wasn't possible. */
  async keep(tree: string, builder: Builder, signal: AbortSignal | undefined): Promise<string | undefined> {
    const part = `${this.#path}.part`
    try {
      const command = [...TAR, '--sparse', '-cf', part, '-C', tree, '.']
      const { ok, lines, ending } = await runHelper(command, builder, { walls: false, signal })
      if (!ok) return `the system is not kept for the next time: ${lines.at(-1) ?? `tar ${ending}`}`
      const fd = openSync(part, 'r')
      try {
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      renameSync(part, this.#path)
      return undefined
    } finally {
      rmSync(part, { force: true })
    }
  }

  /** Lets others at it, and forgets what is old or too much. */
  close(): void {
    closeSync(this.#fd)
    forget(this.#directory, this.#name)
  }
}

const openLock = (path: string): number => {
  try {
    return openSync(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    throw fromNodeError(error, 'lock', path)
  }
}

/** Whether the file that is open is the one that is there: it may have been removed before it was locked. */
const isAt = (path: string, fd: number): boolean => {
  const there = statSync(path, { throwIfNoEntry: false })
  const { ino } = fstatSync(fd)
  return there?.ino === ino
}

/** Removes systems that are old, and the ones longest unused of those that are too much; never one that is in use. */
const forget = (directory: string, used: string): void => {
  const names = readdirSync(directory)
  const systems = names
    .filter((name) => name.endsWith('.lock'))
    .map((name) => {
      const base = name.slice(0, -'.lock'.length)
      const stats = statSync(join(directory, `${base}.tar`), { throwIfNoEntry: false })
      return { base, size: stats?.size ?? 0, time: stats?.mtimeMs ?? 0 }
    })
    .toSorted((a, b) => b.time - a.time)
  let total = 0
  for (const { base, size, time } of systems) {
    total += size
    if (base === used || (total <= LARGEST && Date.now() - time < OLDEST)) continue
    const path = join(directory, `${base}.lock`)
    const fd = openLock(path)
    try {
      if (!lock(fd)) continue
      for (const end of ['tar', 'tar.part', 'lock']) rmSync(join(directory, `${base}.${end}`), { force: true })
    } finally {
      closeSync(fd)
    }
  }
}
