import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { TareError } from '../linux/error.ts'
import { readSubids } from '../linux/idmap.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { ByteSource } from '../image/tar/byte-reader.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import { launch } from './launch.ts'
import type { LaunchOptions, UnshareOptions } from './launch-options.ts'
import { ownCommand } from './own-command.ts'
import type { Program } from './program.ts'
import { systemIds } from './system.ts'
import type { TreeWork, TreeWorkOptions } from './tree-work.ts'
import { doTreeWork } from './tree-work.ts'

/** The word by which `tare` is told to do such work (src/cli/commands.ts); nobody types it. */
const TREE_WORK = 'tree-work'

/** The ids of an ordinary user's namespace in which work on a system is done. */
type Realm = Pick<LaunchOptions, 'unshare' | 'uid' | 'gid'>

/** Where the caller is root of the system's files: with its subordinate ids, where it has some. */
const ownRealm = (): Realm => {
  const owner = { uid: trySyscall('geteuid'), name: process.env['USER'] }
  const some = readSubids('uid', owner).length > 0 && readSubids('gid', owner).length > 0
  const ids = { own: 0, ...(some ? { ranges: ['auto'] as const } : {}) }
  const unshare: UnshareOptions = { kinds: ['user'], uids: ids, gids: ids }
  return { unshare }
}

/** As whom the files of a system are worked on; undefined for root, who does so as it is. Throws {@link InputError}. */
const realmOf = (tree: SystemTree | undefined): Realm | undefined => {
  const { uidMappings, gidMappings } = tree === undefined ? {} : systemIds(tree)
  if (trySyscall('geteuid') === 0) return undefined
  if (uidMappings === undefined || gidMappings === undefined) return ownRealm()
  const unshare: UnshareOptions = { kinds: ['user'], uids: { ranges: uidMappings }, gids: { ranges: gidMappings } }
  return { unshare, uid: 0, gid: 0 }
}

const NAMES = ['operation', 'target', 'syscall', 'errno', 'reason', 'hint', 'code'] as const

/** An error as it crosses from one process to another. */
const errorJson = (error: unknown): Readonly<Record<string, unknown>> => {
  if (!(error instanceof TareError))
    return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  const { operation, target, syscall, errno, hint, code, message } = error
  const [first = ''] = message.split('\n')
  const subject = `cannot ${operation}${target === undefined ? '' : ` ${target}`}: `
  const reason = errno === undefined && first.startsWith(subject) ? first.slice(subject.length) : undefined
  return { operation, target, syscall, errno, reason, hint, code }
}

const toError = (value: object): TareError => {
  const details = Object.fromEntries(NAMES.map((name) => [name, Reflect.get(value, name)]))
  const text = (name: (typeof NAMES)[number]): string | undefined =>
    details[name] === undefined ? undefined : String(details[name])
  const errno: unknown = details['errno']
  const message: unknown = Reflect.get(value, 'message')
  return new TareError({
    operation: text('operation') ?? 'work on the system',
    target: text('target'),
    syscall: text('syscall'),
    errno: typeof errno === 'number' ? errno : undefined,
    reason: text('reason') ?? (typeof message === 'string' ? message : undefined),
    hint: text('hint'),
    code: text('code'),
  })
}

/** What the other process says, line by line: what it leaves out, and in the end what went wrong. */
const listen = async (stderr: Readable | undefined, { onLeftOut }: TreeWorkOptions): Promise<TareError | undefined> => {
  let wrong: TareError | undefined
  let rest = ''
  if (stderr === undefined) return wrong
  for await (const line of createInterface({ input: stderr })) {
    const [, kind, json] = /^(left-out|error) (.*)$/.exec(line) ?? []
    if (json === undefined) rest += `${line}\n`
    else {
      const value: unknown = JSON.parse(json)
      if (kind === 'error' && typeof value === 'object' && value !== null) wrong = toError(value)
      else if (Array.isArray(value)) onLeftOut(String(value[0]), String(value[1]))
    }
  }
  if (wrong !== undefined || rest === '') return wrong
  return new TareError({ operation: 'work on the system', reason: rest.trim() })
}

const start = (work: TreeWork, realm: Realm, { signal }: TreeWorkOptions, input: boolean): Program =>
  launch([...ownCommand(), TREE_WORK, JSON.stringify(work)], {
    ...realm,
    parentDeathSignal: 'SIGKILL',
    buffer: false,
    stdin: input ? 'pipe' : 'ignore',
    ...(signal === undefined ? {} : { signal }),
  })

/** Feeds it. The error of the source, if that failed: what the other process then says is but a consequence. */
const feed = async (program: Program, input: ByteSource | undefined): Promise<unknown> => {
  if (program.stdin === undefined || input === undefined) return undefined
  try {
    await pipeline(Readable.from(input, { objectMode: false }), program.stdin)
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    // It has ended without reading all: it says itself why.
    return ['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET'].includes(code) ? undefined : error
  }
}

async function* workElsewhere(
  work: TreeWork,
  realm: Realm,
  input: ByteSource | undefined,
  options: TreeWorkOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const program = start(work, realm, options, input !== undefined)
  const outcome = Promise.all([program, listen(program.stderr, options), feed(program, input)])
  // Where it fails while nobody waits for it yet, reading its output ends, and it is waited for.
  outcome.catch(() => undefined)
  let complete = false
  try {
    if (program.stdout !== undefined)
      for await (const piece of program.stdout) if (piece instanceof Uint8Array) yield piece
    complete = true
  } finally {
    if (!complete) program.kill('SIGKILL')
  }
  const [{ exitCode, signal }, wrong, source] = await outcome
  if (source !== undefined) throw source
  if (wrong !== undefined) throw wrong
  if (exitCode !== 0)
    throw new TareError({
      operation: 'work on the system',
      reason: `the process that does it was ended (${signal ?? exitCode})`,
    })
}

/**
 * Does something with the files of a system, as root of it sees them: for root in this process, for others in one of their
 * own, in a user namespace with their subordinate ids. `tree` is the system where there is one already.
 */
export const workOnTree = (
  work: TreeWork,
  tree: SystemTree | undefined,
  input: ByteSource | undefined,
  options: TreeWorkOptions,
): AsyncGenerator<Uint8Array, void, undefined> => {
  const realm = realmOf(tree)
  return realm === undefined ? doTreeWork(work, input, options) : workElsewhere(work, realm, input, options)
}

/** To the end of it, for work that makes no archive: what it reports. */
export const finishWork = async (making: AsyncGenerator<Uint8Array, void, undefined>): Promise<string> => {
  const pieces: Uint8Array[] = []
  for await (const piece of making) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

/**
 * The other side of {@link workOnTree}: does the work that is given as JSON, reads standard input and writes standard output,
 * and tells of it on standard error. Resolves with the exit status.
 */
export const serveTreeWork = async (making: ByteSource, say: (line: string) => void): Promise<number> => {
  try {
    // Written through the stream: it waits for whoever reads.
    await pipeline(Readable.from(making, { objectMode: false }), process.stdout)
    return 0
  } catch (error) {
    say(`error ${JSON.stringify(errorJson(error))}\n`)
    return 1
  }
}
