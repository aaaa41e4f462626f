import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeBundle, makeRoot } from './bundle.ts'
import type { Tools } from './tools.ts'
import { findProgram } from './tools.ts'

/** A command that runs the static program in a container. */
export interface Peer {
  readonly name: string
  readonly command: readonly string[]
  /** The program that does it, without what this host makes necessary around it. */
  readonly bare: readonly string[]
}

export interface Peers {
  readonly peers: readonly Peer[]
  readonly skipped: readonly string[]
}

/** What the commands of the standalone program are told apart by. */
export const STANDALONE = ', standalone'

/** Where cgroup v2 is mounted beside version 1, which crun refuses; undefined where it isn't. */
const UNIFIED = '/sys/fs/cgroup/unified'

export const isHybrid = (): boolean => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${UNIFIED} `)

/** A private view of the mounts without that hierarchy. */
export const withoutUnified = (command: readonly string[]): readonly string[] =>
  isHybrid() ? ['unshare', '-m', 'sh', '-c', `umount ${UNIFIED} && exec "$@"`, 'sh', ...command] : command

/** What a command says that doesn't work here; undefined for one that does. */
const refusal = ([program = '', ...args]: readonly string[]): string | undefined => {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 30_000 })
  if (status === 0) return undefined
  const lines = [error?.message ?? '', ...stderr.split('\n')].filter((line) => line.trim() !== '')
  return lines[0] ?? `it exits with ${status}`
}

/** A cgroup that nobody else has, as an absolute path. */
export const ownCgroup = (name: string): string => `/tare-bench-${process.pid}-${name}`

/** All commands that run the static program in a container on this host, each tried once. */
export const findPeers = (tools: Tools): Peers => {
  const { directory, trueProgram, tare, standalone } = tools
  const own = [
    { program: tare, suffix: '' },
    { program: standalone, suffix: STANDALONE },
  ]
  const rootfs = makeRoot(directory, trueProgram)
  const oci = (name: string, program: string, command: readonly string[]): readonly string[] => {
    const runtime = findProgram('runc') ?? program
    const bundle = makeBundle(join(directory, `bundle-${name}`), { runtime, rootfs, cgroup: ownCgroup(name) })
    return [...command, 'run', '--bundle', bundle, ownCgroup(name).slice(1)]
  }
  const candidates: readonly {
    readonly name: string
    readonly program: string
    readonly make: (path: string) => Omit<Peer, 'name'>
  }[] = [
    ...own.map(({ program, suffix }) => ({
      name: `tare run${suffix}`,
      program,
      make: (path: string) => plain([path, 'run', '-v', `${trueProgram}:/true:ro,noidmap`, '/true']),
    })),
    ...own.map(({ program, suffix }) => ({
      name: `tare oci run${suffix}`,
      program,
      make: (path: string) => plain(oci(`tare${suffix === '' ? '' : '-standalone'}`, path, [path, 'oci'])),
    })),
    {
      name: 'crun run',
      program: 'crun',
      make: (path) => {
        const bare = oci('crun', path, [path])
        return { bare, command: withoutUnified(bare) }
      },
    },
    { name: 'runc run', program: 'runc', make: (path) => plain(oci('runc', path, [path])) },
    {
      name: 'bwrap',
      program: 'bwrap',
      make: (path) =>
        plain(
          [
            [path, '--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--clearenv'],
            ['--ro-bind', rootfs, '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '/true'],
          ].flat(),
        ),
    },
    { name: 'unshare -mpfinu', program: 'unshare', make: (path) => plain([path, '-mpfinu', trueProgram]) },
    {
      name: 'systemd-nspawn',
      program: 'systemd-nspawn',
      make: (path) =>
        plain([path, '--quiet', '--register=no', '--keep-unit', '--private-network', '-D', rootfs, '/true']),
    },
  ]
  const peers: Peer[] = []
  const skipped: string[] = []
  for (const { name, program, make } of candidates) {
    const path = findProgram(program) ?? (own.some((each) => each.program === program) ? program : undefined)
    const peer = path === undefined ? undefined : make(path)
    const missing = program === standalone && !existsSync(standalone) ? 'npm run build:standalone makes it' : undefined
    const why = peer === undefined ? 'it is not installed' : (missing ?? refusal(peer.command))
    if (peer !== undefined && why === undefined) peers.push({ name, ...peer })
    else skipped.push(`${name} is skipped: ${why}`)
  }
  return { peers, skipped }
}

const plain = (command: readonly string[]): Omit<Peer, 'name'> => ({ command, bare: command })
