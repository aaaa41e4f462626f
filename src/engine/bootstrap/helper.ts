import type { Readable } from 'node:stream'
import { createInterface } from 'node:readline'
import { launch } from '../launch.ts'
import type { LaunchOptions, UnshareOptions } from '../launch-options.ts'
import { fullPath } from './find-program.ts'

/** Who bootstraps: root's systems have root's ids on the host too, others' have subordinate ids. */
export interface Builder {
  readonly root: boolean
}

/** How a program of the host that helps is started. */
export interface HelperOptions {
  /**
   * Whether it gets mounts and processes of its own: they are gone with it, and it with this process, however that ends.
   * Default true.
   */
  readonly walls?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  readonly onLine?: (line: string) => void
}

export interface Helped {
  readonly ok: boolean
  /** The last lines of all that it said. */
  readonly lines: readonly string[]
  /** `ended with status 1`, `was ended by SIGKILL`. */
  readonly ending: string
}

/** How many lines are kept. */
const LINES = 400

/**
 * The namespaces. An ordinary user is root in one of its own, in which its subordinate ids are all the others, as
 * everywhere in Tare: what belongs to root in the system belongs to the user outside.
 */
const namespaces = ({ root }: Builder, walls: boolean): UnshareOptions => ({
  kinds: [...(root ? [] : (['user'] as const)), ...(walls ? (['mnt', 'pid', 'ipc'] as const) : [])],
  ...(root ? {} : { uids: { own: 0, ranges: ['auto'] }, gids: { own: 0, ranges: ['auto'] } }),
  ...(walls ? { mountProc: true } : {}),
})

/** Proxies are the caller's matter; the rest of the environment would make one system unlike another. */
const environment = (): Record<string, string> => {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] => /_proxy$/i.test(entry[0]) && entry[1] !== undefined,
  )
  return {
    ...Object.fromEntries(kept),
    PATH: fullPath(),
    LC_ALL: 'C.UTF-8',
    HOME: '/',
    DEBIAN_FRONTEND: 'noninteractive',
  }
}

const eachLine = async (stream: Readable | undefined, take: (line: string) => void): Promise<void> => {
  if (stream === undefined) return
  // Progress that is drawn over itself comes as lines, too.
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }))
    for (const line of text.split('\r')) take(line.trimEnd())
}

/**
 * Runs a program of the host to its end, by {@link launch}. Rejects if it can't be started, or with the signal's reason;
 * that it failed is a result.
 */
export const runHelper = async (
  command: readonly string[],
  builder: Builder,
  { walls = true, env = {}, signal, onLine }: HelperOptions = {},
): Promise<Helped> => {
  const unshare = namespaces(builder, walls)
  const options: LaunchOptions = {
    ...(unshare.kinds.length === 0 ? {} : { unshare }),
    ...(walls ? { fork: true } : {}),
    parentDeathSignal: 'SIGKILL',
    workdir: '/',
    umask: 0o022,
    env: { ...environment(), ...env },
    buffer: false,
    ...(signal === undefined ? {} : { signal }),
  }
  const lines: string[] = []
  const take = (line: string): void => {
    if (line === '') return
    lines.push(line)
    if (lines.length > LINES) lines.shift()
    onLine?.(line)
  }
  const program = launch(command, options)
  const [result] = await Promise.all([program, eachLine(program.stdout, take), eachLine(program.stderr, take)])
  const ending =
    result.signal === undefined ? `ended with status ${result.exitCode ?? 0}` : `was ended by ${result.signal}`
  return { ok: result.exitCode === 0, lines, ending }
}
