import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { InputError, TareError } from '../../linux/error.ts'
import {
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOCTTY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
} from '../../linux/fcntl.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { withTree } from '../../rootfs/system-tree.ts'
import type { BootOptions } from '../boot-options.ts'
import { BOOT_OPTIONS } from '../boot-options.ts'
import { checkOptions } from '../check-options.ts'
import { resolveBoot } from '../resolve-boot.ts'
import { BOOT_SHAPE } from './boot-shape.ts'
import type { JsonMember } from './json-source.ts'
import { JsonFault, parseJson } from './json-source.ts'

/** Bytes; people write them. */
const LARGEST = 1 << 20

/** What an editor is told of the file by; it says nothing to us. */
const SCHEMA = '$schema'

/**
 * The file with the settings of the machine in a directory: beside it, and so out of its reach. Links are followed first: a
 * system has one set of settings, however it is called.
 */
export const settingsPath = (directory: string): string => {
  const path = withTree(directory, (tree) => realpathSync(tree.path))
  return join(dirname(path), `${basename(path)}.tare.json`)
}

/** A file that anybody else could have written says what its writer likes to be mounted. */
const checkOwner = (fd: number, path: string): void => {
  const status = fstatSync(fd)
  const operation = 'use the settings'
  if (!status.isFile()) throw new InputError({ operation, target: path, reason: 'that is no regular file' })
  if (status.uid !== trySyscall('geteuid') && status.uid !== 0)
    throw new InputError({
      operation,
      target: path,
      reason: `they belong to user ${status.uid}`,
      hint: 'Settings are their own user’s, or root’s: they say what of the host is mounted. Make them yours, or remove them.',
    })
  if ((status.mode & 0o022) !== 0)
    throw new InputError({
      operation,
      target: path,
      reason: 'others may write to them',
      hint: `Take that away: chmod go-w ${path}.`,
    })
  if (status.size > LARGEST)
    throw new InputError({ operation, target: path, reason: `they are larger than ${LARGEST >> 20} MiB` })
}

/** The file, open; undefined where there is none. Close it. */
const openOwn = (path: string): number | undefined => {
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    const wrong = fromNodeError(error, 'read the settings', path, { ELOOP: 'A link is not followed there.' })
    if (wrong.code === 'ENOENT') return undefined
    throw wrong
  }
}

/** The text of the file; undefined where there is none. */
const readOwn = (path: string): string | undefined => {
  const fd = openOwn(path)
  if (fd === undefined) return undefined
  try {
    checkOwner(fd, path)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

/** Sources of mounts are named from where the file is, whoever reads it from where. */
const fromFile = (options: BootOptions, directory: string): BootOptions => {
  if (options.mounts === undefined) return options
  const mounts = options.mounts.map((mount) => {
    if (mount.type === 'tmpfs') return mount
    if (mount.type !== 'overlay') return { ...mount, source: resolve(directory, mount.source) }
    const lower = (typeof mount.lower === 'string' ? [mount.lower] : mount.lower).map((path) =>
      resolve(directory, path),
    )
    return { ...mount, lower, ...(mount.keep === undefined ? {} : { keep: resolve(directory, mount.keep) }) }
  })
  return { ...options, mounts }
}

const parse = (source: string, path: string): BootOptions => {
  try {
    const root = parseJson(source)
    const members: ReadonlyMap<string, JsonMember> | undefined = root.value instanceof Map ? root.value : undefined
    const own =
      members === undefined ? root : { ...root, value: new Map([...members].filter(([key]) => key !== SCHEMA)) }
    return BOOT_SHAPE.read(own, '')
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    const { line, message, hint } = error
    throw new InputError({
      operation: 'use the settings',
      target: path,
      reason: `line ${line}: ${message.replace(/^: /, '')}`,
      hint,
    })
  }
}

/**
 * The settings of the machine in a directory: the options that it is booted with, unless others are given. None where there
 * is no file `DIR.tare.json` beside it. Throws {@link InputError} for a fault in the file, with its line, and for a file
 * that others may write to.
 *
 * @example
 * ```ts
 * const machine = boot('./box', mergeSettings(readSettings('./box'), { memory: '2g' }))
 * ```
 */
export const readSettings = (directory: string): BootOptions => {
  const path = settingsPath(directory)
  const source = readOwn(path)
  return source === undefined ? {} : fromFile(parse(source, path), dirname(path))
}

/** JSON has no undefined and no bigint. */
const plain = (_: string, value: unknown): unknown => {
  if (value === undefined) return null
  if (typeof value !== 'bigint') return value
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return 'max'
  return Number(value)
}

const syncDirectory = (path: string): void => {
  const fd = openSync(path, O_RDONLY | O_DIRECTORY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** There is the old file or the new one, whenever it is looked at, and whenever the machine loses its power. */
const replace = (path: string, content: string, mode: number): void => {
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`)
  try {
    const fd = openSync(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      writeFileSync(fd, content)
      fchmodSync(fd, mode)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(part, path)
    syncDirectory(dirname(path))
  } catch (error) {
    rmSync(part, { force: true })
    const hints = { EACCES: 'They lie beside the system: this user may not write there.' }
    throw error instanceof TareError ? error : fromNodeError(error, 'write the settings', path, hints)
  }
}

/** Sources of mounts with the paths that they have now: the file may be read from elsewhere. */
const absolute = (options: BootOptions): BootOptions => fromFile(options, process.cwd())

const modeOf = (path: string): number => {
  const fd = openOwn(path)
  if (fd === undefined) return 0o600
  try {
    return fstatSync(fd).mode & 0o755
  } finally {
    closeSync(fd)
  }
}

/**
 * Writes the settings of the machine in a directory, in place of those that it has; returns the file's path. Nothing is
 * written but what the machine could be booted with here and now: throws {@link InputError} as `boot` does.
 */
export const writeSettings = (directory: string, options: BootOptions): string => {
  checkOptions(options, BOOT_OPTIONS)
  const path = settingsPath(directory)
  const content = `${JSON.stringify(absolute(options), plain, 2)}\n`
  const read = parse(content, path)
  withTree(directory, (tree) => resolveBoot(tree, read))
  replace(path, content, modeOf(path))
  return path
}

/** Writes settings that were read elsewhere, for a machine that has none. Returns the file's path. */
export const writeCopiedSettings = (directory: string, options: BootOptions): string => {
  const path = settingsPath(directory)
  replace(path, `${JSON.stringify(options, plain, 2)}\n`, 0o600)
  return path
}

/** The JSON schema of the file, for editors (json-schema.org, draft 2020-12). */
export const settingsSchema = (): Readonly<Record<string, unknown>> => {
  const { properties, ...rest } = BOOT_SHAPE.schema
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Settings of a machine of Tare',
    description: 'What "tare boot" boots the system in DIR with, in the file DIR.tare.json beside it.',
    ...rest,
    properties: { [SCHEMA]: { type: 'string' }, ...(typeof properties === 'object' ? properties : {}) },
  }
}
