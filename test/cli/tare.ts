// What the tests of the command line share: bin/tare, called as a shell would.
import type { ChildProcess, StdioOptions } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hostInfo } from '../../src/index.ts'

/** The checkout. */
export const ROOT: string = join(fileURLToPath(import.meta.url), '../../../..')

export const TARE: string = join(ROOT, 'bin/tare')

export const isRoot: boolean = process.geteuid?.() === 0

/** An ordinary user's ids; for spawn, which only root may give them to. */
export const NOBODY = { uid: 65534, gid: 65534 } as const

const TIMEOUT = 60_000

export interface CallOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** As whom; by default as ourselves. */
  readonly as?: { readonly uid: number; readonly gid: number }
}

export interface Called {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The standalone program (docs/standalone.md) that the tests are to call, by `TARE_PROGRAM`; undefined for bin/tare. */
export const STANDALONE: string | undefined = process.env['TARE_PROGRAM']

/** What is called: Node, or the standalone program. */
export const PROGRAM: string = STANDALONE ?? process.execPath

/**
 * What stands before our words then. Node 20 takes `--env-file` for its own wherever it stands in the arguments, even
 * behind the script, unless `--` stands before it (https://github.com/nodejs/node/issues/54232).
 */
export const NODE_ARGS: readonly string[] = STANDALONE === undefined ? ['--', TARE] : []

const environment = (env: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/tmp',
  ...env,
})

/** Calls `tare` and waits for its end. Standard input is empty unless there is some. */
export const tare = (args: readonly string[], { input = '', env, cwd = ROOT, as }: CallOptions = {}): Called => {
  const options = { encoding: 'utf8', input, cwd, env: environment(env), timeout: TIMEOUT, ...as } as const
  const { status, stdout, stderr } = spawnSync(PROGRAM, [...NODE_ARGS, ...args], options)
  return { status, stdout, stderr }
}

/** Starts `tare`, and doesn't wait. */
export const startTare = (args: readonly string[], stdio: StdioOptions): ChildProcess =>
  spawn(PROGRAM, [...NODE_ARGS, ...args], { stdio, cwd: ROOT, env: environment() })

/** Resolves with the exit status, or the signal, when all streams of the process are closed too. */
export const ended = async (child: ChildProcess): Promise<number | string | null> => {
  const [status, signal]: (number | string | null)[] = await once(child, 'close')
  return status ?? signal ?? null
}

/** Why this host can't run containers as this user; undefined if it can. For `test`'s option `skip`. */
export const NO_CONTAINERS: string | false = hostInfo().some(
  ({ id, state }) => id === 'user-namespaces' && state === 'no',
)
  ? 'needs user namespaces'
  : false
