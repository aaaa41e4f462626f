// Containers of other programs, for tests that look at them: each runs `sleep` until the test ends.
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { reapOrphans } from './leaks.ts'

const PATIENCE = 15_000

/** How long the contained program would sleep, in seconds: a number that no other has. */
let next = 100_000 + (process.pid % 10_000)

export const childrenOf = (pid: number): readonly number[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'ascii')
        .split(' ')
        .filter((word) => word !== '')
        .map(Number),
    )
  } catch {
    return [] // it ended
  }
}

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
  } catch {
    return ''
  }
}

const findBelow = (pid: number, command: string): number | undefined =>
  commandLine(pid) === command
    ? pid
    : childrenOf(pid)
        .map((child) => findBelow(child, command))
        .find((found) => found !== undefined)

/** The words of a program that sleeps until it is killed. */
export const sleeper = (): readonly string[] => {
  next += 1
  return ['sleep', String(next)]
}

/** What outlived its parent came to us, and is waited for. */
export const reapAllBut = async (before: readonly number[]): Promise<void> => {
  const others = (): boolean => childrenOf(process.pid).some((pid) => !before.includes(pid))
  for (const begin = performance.now(); others() && performance.now() - begin < PATIENCE; await sleep(5)) reapOrphans()
}

/** A container of another program; it ends with its scope. */
export interface Peer extends AsyncDisposable {
  /** Of what runs in it, on this host. */
  readonly pid: number
}

export interface PeerOptions {
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
}

/** Starts a program which runs `sleeping` (of {@link sleeper}) in a container of its own. */
export const startPeer = async (
  words: readonly string[],
  sleeping: readonly string[],
  options: PeerOptions = {},
): Promise<Peer> => {
  const [program = '', ...args] = words
  const before = childrenOf(process.pid)
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...options })
  let errors = ''
  child.stderr.on('data', (data) => (errors += String(data)))
  const ended = once(child, 'close')
  for (const begin = performance.now(); performance.now() - begin < PATIENCE && child.exitCode === null;) {
    await sleep(10)
    const pid = findBelow(child.pid ?? 0, sleeping.join(' '))
    if (pid === undefined) continue
    const stop = async (): Promise<void> => {
      process.kill(pid, 'SIGKILL')
      await ended
      await reapAllBut(before)
    }
    return { pid, [Symbol.asyncDispose]: stop }
  }
  child.kill('SIGKILL')
  await ended
  throw new Error(`${program} did not start: ${errors}`)
}

const BUSYBOX = '/bin/busybox'

interface Bundle {
  readonly directory: string
  readonly id: string
}

/** What is changed of the configuration that `runc spec` writes. */
type Change = (config: Record<string, unknown>) => void

/** A bundle with busybox, as the OCI's runtimes take it, with what `runc spec` gives by default. */
export const makeBundle = (
  directory: string,
  sleeping: readonly string[],
  change: Change = () => undefined,
): Bundle => {
  const id = `tare-test-${process.pid}-${next}`
  mkdirSync(join(directory, 'rootfs/bin'), { recursive: true })
  copyFileSync(BUSYBOX, join(directory, 'rootfs/bin/busybox'))
  copyFileSync(BUSYBOX, join(directory, 'rootfs/bin/sleep'))
  const made = spawnSync('runc', ['spec'], { cwd: directory, encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`runc spec: ${made.stderr}`)
  const path = join(directory, 'config.json')
  const config: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'))
  config['process'] = { ...(config['process'] as object), args: sleeping, terminal: false }
  config['linux'] = { ...(config['linux'] as object), cgroupsPath: `/${id}` }
  change(config)
  writeFileSync(path, JSON.stringify(config))
  return { directory, id }
}

/** Calls for a runtime to run a bundle. */
export const runWith = (runtime: 'runc' | 'crun', { directory, id }: Bundle): readonly string[] => {
  const run = [runtime, '--root', join(directory, 'state'), 'run', '--bundle', directory, id]
  if (runtime === 'runc') return run
  // crun refuses a host that has both versions of control groups; with the second one out of sight it goes by the first.
  return [
    'unshare',
    '-m',
    'sh',
    '-c',
    'if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi; exec "$@"',
    'sh',
    ...run,
  ]
}
