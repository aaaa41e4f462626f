import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MNT_DETACH, UMOUNT_NOFOLLOW } from '../src/linux/mount-flags.ts'
import { syscall } from '../src/linux/syscall.ts'
import { timeCommand } from './commands.ts'
import { STANDALONE } from './peers.ts'
import type { PartReport, Row } from './report.ts'
import { milliseconds, ratioOf } from './report.ts'
import type { Measure } from './statistics.ts'
import { interleave, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'
import { findProgram } from './tools.ts'

const SUITE = 'bookworm'
const SYSTEM = `debian:${SUITE}`
const PACKAGES = 'systemd-sysv,dbus'

export const BOOT_HOW: string = `A Debian of \`tare bootstrap --include ${PACKAGES} ${SYSTEM}\` is booted by its systemd, from the command to where
\`systemctl is-system-running --wait\` says "running": a service of its own writes that to a file, for which the directory
is watched. Then it is switched off by SIGTERM, untimed, and that it ends with status 0 is checked. \`systemd-nspawn\`
has \`--quiet --register=no --keep-unit -b -D DIR\`, since no D-Bus runs here. No terminal takes part.`

export const BOOTSTRAP_HOW: string = `\`tare bootstrap --refresh ${SYSTEM} DIR\` makes a minimal system anew, with mmdebstrap as its engine; \`mmdebstrap
--variant=minbase ${SUITE} DIR\` is that by itself. The second one of a kind is a copy of what \`tare bootstrap\` has kept. Each is
run to its end in turn, on the same mirror, after one that isn't counted; removing what they made isn't timed. The
systems are made in a tmpfs: on a disk, unpacking one and the same archive by tar(1) alone took from 0.3 to 7 s of the system,
one after the other, and the second of a kind would measure that. What is kept for it lies on the disk.`

/** Of the tmpfs that systems are made in, one after the other: each has some hundred megabytes. */
const ROOM = 'size=2g'

/** Runs `use` with a tmpfs mounted on a new directory, and unmounts it. */
const withTmpfs = async <T>(directory: string, use: () => Promise<T>): Promise<T> => {
  mkdirSync(directory)
  syscall({ operation: 'mount a tmpfs on', target: directory }, 'mount', 'tmpfs', directory, 'tmpfs', 0, ROOM)
  try {
    return await use()
  } finally {
    syscall({ operation: 'unmount', target: directory }, 'umount2', directory, MNT_DETACH | UMOUNT_NOFOLLOW)
  }
}

/** Says how the start went to a file, once all jobs of the start are done. */
const SERVICE = `[Unit]
Description=Say that the system is up

[Service]
ExecStart=/bin/sh -c 'systemctl is-system-running --wait >/bench-state.new; mv /bench-state.new /bench-state'
`

const STATE = 'bench-state'

const makeSystem = (tools: Tools, directory: string): void => {
  const { status, stderr } = spawnSync(tools.tare, ['bootstrap', '--include', PACKAGES, SYSTEM, directory], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`tare bootstrap: ${stderr}`)
  const units = join(directory, 'etc', 'systemd', 'system')
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true })
  writeFileSync(join(units, 'bench-state.service'), SERVICE)
  symlinkSync('/etc/systemd/system/bench-state.service', join(units, 'multi-user.target.wants', 'bench-state.service'))
}

const ended = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** Nanoseconds from a command to where the system in `directory` says that it is up. */
const timeBoot = async (directory: string, [program = '', ...args]: readonly string[]): Promise<number> => {
  const file = join(directory, STATE)
  rmSync(file, { force: true })
  const watcher = watch(directory)
  try {
    const began = process.hrtime.bigint()
    const child = spawn(program, args, { stdio: 'ignore' })
    const up = new Promise<bigint>((resolve, reject) => {
      watcher.on('change', (_event, name) => {
        if (name === STATE && existsSync(file)) resolve(process.hrtime.bigint())
      })
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`${program}: it ended with ${code} before the system was up`)))
    })
    const took = Number((await up) - began)
    const state = readFileSync(file, 'utf8').trim()
    child.kill('SIGTERM')
    await ended(child)
    if (state !== 'running') throw new Error(`${program}: the system says that it is "${state}"`)
    if (child.exitCode !== 0) throw new Error(`${program}: it ended with ${child.exitCode ?? child.signalCode}`)
    return took
  } finally {
    watcher.close()
  }
}

const missing = (...programs: readonly string[]): readonly string[] =>
  programs
    .filter((name) => findProgram(name) === undefined)
    .map((name) => `${name} is not installed: this part is skipped`)

/** (i) a system to where it runs. */
export const measureBoot = async (tools: Tools): Promise<PartReport> => {
  const remarks = missing('systemd-nspawn', 'mmdebstrap')
  if (remarks.length > 0) return { rows: [], remarks }
  const directory = join(tools.directory, 'system')
  makeSystem(tools, directory)
  const standalone = existsSync(tools.standalone)
  const boots: readonly (readonly [name: string, command: readonly string[]])[] = [
    ['tare boot', [tools.tare, 'boot', directory]],
    ...(standalone ? ([[`tare boot${STANDALONE}`, [tools.standalone, 'boot', directory]]] as const) : []),
    ['systemd-nspawn -b', ['systemd-nspawn', '--quiet', '--register=no', '--keep-unit', '-b', '-D', directory]],
  ]
  const measures: readonly Measure[] = boots.map(([name, command]) => ({
    name,
    sample: () => timeBoot(directory, command),
  }))
  // The first start of a system does what no later one does: it makes the machine id, and the journal.
  for (const { sample } of measures) await sample()
  const samples = await interleave(measures, tools.quick ? 3 : 20, 300)
  const of = (name: string): readonly number[] => samplesOf(samples, name)
  return {
    rows: [
      ...measures.map(({ name }) => ({ measure: name, median: milliseconds(of(name)) })),
      ...boots.slice(0, -1).map(([name]): Row => ({
        measure: `${name} : systemd-nspawn -b`,
        ratio: ratioOf(of(name), of('systemd-nspawn -b')),
        ...(standalone && name === 'tare boot' ? {} : { target: { most: 1 } }),
      })),
    ],
    remarks: standalone ? [] : ['the standalone program is skipped: npm run build:standalone makes it'],
  }
}

/** (j) a system from packages. */
export const measureBootstrap = async (tools: Tools): Promise<PartReport> => {
  const remarks = missing('mmdebstrap')
  if (remarks.length > 0) return { rows: [], remarks }
  const memory = join(tools.directory, 'memory')
  const directory = join(memory, 'minimal')
  const timed = (name: string, command: readonly string[]): Measure => ({
    name,
    sample: async () => {
      const took = await timeCommand([...command, directory])
      rmSync(directory, { recursive: true, force: true })
      return took
    },
  })
  const [first, second, peer] = [
    'tare bootstrap, made anew',
    'tare bootstrap, the second of a kind',
    'mmdebstrap',
  ] as const
  const measures = [
    timed(first, [tools.tare, 'bootstrap', '--refresh', SYSTEM]),
    timed(second, [tools.tare, 'bootstrap', SYSTEM]),
    timed(peer, ['mmdebstrap', '--quiet', '--variant=minbase', SUITE]),
  ]
  const samples = await withTmpfs(memory, async () => {
    for (const { sample } of measures) await sample()
    return interleave(measures, tools.quick ? 1 : 3, 300)
  })
  const of = (name: string): readonly number[] => samplesOf(samples, name)
  return {
    rows: [
      ...measures.map(({ name }) => ({ measure: name, median: milliseconds(of(name)) })),
      { measure: `${first} : ${peer}`, ratio: ratioOf(of(first), of(peer)), target: { most: 1 } },
      { measure: `${second} : ${peer}`, ratio: ratioOf(of(second), of(peer)), target: { most: 0.2 } },
    ],
    remarks: [],
  }
}
