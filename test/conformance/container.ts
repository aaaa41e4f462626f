import { spawnSync } from 'node:child_process'
import assert from 'node:assert/strict'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readCgroupLayout } from '../../src/linux/cgroup/layout.ts'
import { readMountinfo } from '../../src/linux/mountinfo.ts'
import { reapOrphans } from '../host/leaks.ts'
import type { Config } from './config.ts'
import { baseConfig, CGROUPS, changed, textOf } from './config.ts'
import type { RuntimeName } from './runtime.ts'
import { commandOf } from './runtime.ts'

/** Milliseconds that anything may take; one runtime waits 10 s itself for a group to become empty. */
const PATIENCE = 20_000

/** What a verb of the runtime came to. */
export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

const DIRECTORIES = ['bin', 'dev', 'proc', 'sys', 'tmp', 'etc', 'mnt', 'srv', 'root']

const APPLETS = spawnSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).stdout.trim().split('\n')

let count = 0

/** A container of the runtime at hand, and its bundle. */
export class Container {
  readonly id: string
  readonly runtime: RuntimeName
  readonly bundle: string
  readonly config: Config
  readonly #state: string
  #outputs = 0

  constructor(runtime: RuntimeName, scratch: string, change: (bundle: string) => Config) {
    count += 1
    this.id = `conformance-${process.pid}-${count}`
    this.runtime = runtime
    this.bundle = join(scratch, 'bundle')
    this.#state = join(scratch, 'state')
    mkdirSync(this.#state, { recursive: true })
    for (const name of DIRECTORIES) mkdirSync(join(this.rootfs, name), { recursive: true })
    cpSync('/bin/busybox', join(this.rootfs, 'bin', 'busybox'))
    for (const name of APPLETS) if (name !== 'busybox') symlinkSync('busybox', join(this.rootfs, 'bin', name))
    this.config = changed(baseConfig(this.id), change(this.bundle))
    this.configure(this.config)
  }

  get rootfs(): string {
    return join(this.bundle, 'rootfs')
  }

  configure(config: Config): void {
    writeFileSync(join(this.bundle, 'config.json'), textOf(config))
  }

  /** A file beside the root file system, in which hooks and the like note something. */
  path(name: string): string {
    return join(this.bundle, name)
  }

  read(name: string): string {
    return existsSync(this.path(name)) ? readFileSync(this.path(name), 'utf8') : ''
  }

  write(name: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), text, { mode })
  }

  /** A verb with its words. What it and, in its place, the container print goes to files, so that nobody waits for it. */
  verb(...words: readonly string[]): Outcome {
    this.#outputs += 1
    const names = ['stdout', 'stderr'].map((name) => `${name}-${this.#outputs}`)
    const [stdout = -1, stderr = -1] = names.map((name) => openSync(this.path(name), 'w'))
    const [program = '', ...before] = commandOf(this.runtime)
    const given = [...before, '--root', this.#state, ...words]
    const { status, signal, error } = spawnSync(program, given, {
      stdio: ['ignore', stdout, stderr],
      timeout: PATIENCE,
    })
    for (const fd of [stdout, stderr]) closeSync(fd)
    if (error !== undefined) throw error
    const [out = '', err = ''] = names.map((name) => this.read(name))
    assert.equal(signal, null, `${words.join(' ')} ends by a signal`)
    return { status, stdout: out, stderr: err }
  }

  /** A verb that must succeed. */
  must(...words: readonly string[]): Outcome {
    const outcome = this.verb(...words)
    assert.equal(outcome.status, 0, `${words.join(' ')}: ${outcome.stderr}`)
    return outcome
  }

  /** A verb that must not. */
  mustNot(...words: readonly string[]): Outcome {
    const outcome = this.verb(...words)
    assert.notEqual(outcome.status, 0, `${words.join(' ')} succeeds`)
    return outcome
  }

  /** Creates it; what the container prints from then on is in the file `stdout-N` of the returned number. */
  create(): () => string {
    this.must('create', '--bundle', this.bundle, this.id)
    const name = `stdout-${this.#outputs}`
    return () => this.read(name)
  }

  /** The state, or undefined where the runtime knows no such container. */
  state(): Readonly<Record<string, unknown>> | undefined {
    const { status, stdout } = this.verb('state', this.id)
    return status === 0 ? JSON.parse(stdout) : undefined
  }

  /** Waits until its state has this status. */
  async until(status: string): Promise<void> {
    for (const begin = performance.now(); performance.now() - begin < PATIENCE; await sleep(20)) {
      reapOrphans()
      if (this.state()?.['status'] === status) return
    }
    assert.equal(this.state()?.['status'], status)
  }

  /** Waits until a file of the bundle says this. */
  async untilSays(name: string, text: string): Promise<void> {
    for (const begin = performance.now(); performance.now() - begin < PATIENCE; await sleep(10)) {
      if (this.read(name).includes(text)) return
    }
    assert.fail(`${name} doesn't say ${text}: ${this.read(name)}`)
  }

  /** The directories of its control group, in each hierarchy. */
  groups(): readonly string[] {
    return readCgroupLayout()
      .hierarchies.map(({ mountPoint }) => join(mountPoint, CGROUPS, this.id))
      .filter((directory) => existsSync(directory))
  }

  /** What is left of it on the host. */
  leftovers(): readonly string[] {
    return [
      ...this.groups(),
      ...readMountinfo().flatMap(({ mountPoint }) => (mountPoint.startsWith(this.bundle) ? [mountPoint] : [])),
      ...readdirSync(this.#state).filter((name) => name.includes(this.id)),
    ]
  }

  /** Kills what a runtime that failed has left behind: the groups are this case's own. */
  #killGroups(): void {
    for (const directory of this.groups()) {
      for (const pid of readFileSync(join(directory, 'cgroup.procs'), 'ascii').split('\n')) {
        if (pid !== '') process.kill(Number(pid), 'SIGKILL')
      }
    }
  }

  /** Takes it away, whatever state it is in. */
  async remove(): Promise<void> {
    this.verb('delete', '--force', this.id)
    this.#killGroups()
    for (const begin = performance.now(); performance.now() - begin < PATIENCE; await sleep(20)) {
      reapOrphans()
      if (this.leftovers().length === 0) break
    }
    const left = this.leftovers()
    for (const directory of this.groups()) rmdirSync(directory)
    assert.deepEqual(left, [], 'what delete leaves')
  }
}

/** Takes the group away that all others were in. */
export const removeGroups = (): void => {
  for (const { mountPoint } of readCgroupLayout().hierarchies) {
    const directory = join(mountPoint, CGROUPS)
    if (existsSync(directory)) rmdirSync(directory)
  }
}
