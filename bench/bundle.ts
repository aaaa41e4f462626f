import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A root file system with the static program and the places that every container mounts something at. */
export const makeRoot = (directory: string, trueProgram: string): string => {
  const rootfs = join(directory, 'rootfs')
  for (const path of ['proc', 'sys', 'dev', 'tmp', 'run', 'etc', 'usr'])
    mkdirSync(join(rootfs, path), { recursive: true })
  copyFileSync(trueProgram, join(rootfs, 'true'))
  // What systemd-nspawn(1) takes a tree for that of an operating system by.
  writeFileSync(join(rootfs, 'etc', 'os-release'), 'ID=bench\n')
  return rootfs
}

interface BundleOptions {
  readonly runtime: string
  readonly rootfs: string
  readonly cgroup: string
  /** Bytes. */
  readonly memory?: number
  /** The program and its words; by default the static one. */
  readonly args?: readonly string[]
}

/** Only what is changed here; the rest goes through as it is. */
interface Config {
  process: { terminal: boolean; args: readonly string[]; rlimits?: readonly unknown[] }
  root: { path: string; readonly: boolean }
  linux: { cgroupsPath?: string; resources?: Record<string, unknown> }
}

/**
 * A bundle with the configuration that the runtime itself proposes (`spec`), for the static program: no terminal, the
 * limits of the caller, and a cgroup with an absolute path.
 */
export const makeBundle = (
  directory: string,
  { runtime, rootfs, cgroup, memory, args = ['/true'] }: BundleOptions,
): string => {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'config.json')
  if (!existsSync(file)) {
    const { status, stderr } = spawnSync(runtime, ['spec'], { cwd: directory, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${runtime} spec failed: ${stderr}`)
  }
  const config: Config = JSON.parse(readFileSync(file, 'utf8'))
  config.process = { ...config.process, terminal: false, args, rlimits: [] }
  config.root = { path: rootfs, readonly: true }
  config.linux = {
    ...config.linux,
    cgroupsPath: cgroup,
    resources: { ...config.linux.resources, ...(memory === undefined ? {} : { memory: { limit: memory } }) },
  }
  writeFileSync(file, JSON.stringify(config))
  return directory
}
