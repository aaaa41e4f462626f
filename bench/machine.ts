import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { spawnSync } from 'node:child_process'

/** One fact about this machine. */
export interface Fact {
  readonly name: string
  readonly value: string
}

/** The first line that a program prints about its version; undefined if it isn't installed. */
const versionOf = (program: string): string | undefined => {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  return status === 0 ? stdout.split('\n')[0] : undefined
}

const distribution = (): string => {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}

const PEERS = ['crun', 'runc', 'bwrap', 'unshare', 'systemd-nspawn'] as const

const peers = (): string => {
  const versions = PEERS.flatMap((program) => versionOf(program) ?? [])
  return versions.length === 0 ? 'none' : versions.join('; ')
}

/** What the figures depend on. To be called before anything is measured: the load is that of now. */
export const describeMachine = (): readonly Fact[] => [
  { name: 'date', value: new Date().toISOString().slice(0, 10) },
  { name: 'processor', value: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} of them` },
  { name: 'memory', value: `${Math.round(totalmem() / 2 ** 30)} GiB` },
  { name: 'kernel', value: release() },
  { name: 'distribution', value: distribution() },
  { name: 'Node', value: process.version },
  { name: 'other runtimes', value: peers() },
  {
    name: 'load average at the start',
    value: loadavg()
      .map((load) => load.toFixed(2))
      .join(', '),
  },
]
