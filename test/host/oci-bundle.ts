// What the tests of the OCI runtime share: a bundle of busybox, and `tare oci` as an engine calls it.
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const BUSYBOX = '/bin/busybox'
const PROGRAM = process.env['TARE_PROGRAM']

/** The OCI runtime: that of the standalone program where the tests are to call that (test/cli/tare.ts). */
export const OCI: string =
  PROGRAM === undefined
    ? join(fileURLToPath(import.meta.url), '../../../../bin/tare-oci')
    : join(PROGRAM, '../tare-oci')

/** Why the tests can't run here. */
export const OCI_NEEDS: string | false =
  process.geteuid?.() !== 0 ? 'needs root' : existsSync(BUSYBOX) ? false : 'needs busybox (package busybox-static)'

const APPLETS = [
  'sh',
  'cat',
  'echo',
  'id',
  'ls',
  'sleep',
  'true',
  'hostname',
  'readlink',
  'env',
  'grep',
  'tty',
  'touch',
]

const capabilities = ['CAP_KILL', 'CAP_NET_BIND_SERVICE', 'CAP_SETUID', 'CAP_SETGID', 'CAP_CHOWN']

/** What a bundle's configuration is made of; a test changes what it is about. */
export interface Config {
  process: Record<string, unknown>
  root: { path: string; readonly: boolean }
  hostname: string
  mounts: Record<string, unknown>[]
  hooks: Record<string, unknown>
  linux: { namespaces: { type: string; path?: string }[]; [name: string]: unknown }
}

const defaults = (args: readonly string[]): Config & { ociVersion: string } => ({
  ociVersion: '1.0.2',
  process: {
    user: { uid: 0, gid: 0 },
    args,
    env: ['PATH=/bin'],
    cwd: '/',
    capabilities: Object.fromEntries(['bounding', 'permitted', 'effective'].map((set) => [set, capabilities])),
    noNewPrivileges: true,
  },
  root: { path: 'rootfs', readonly: false },
  hostname: 'box',
  mounts: [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'ptmxmode=0666'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  ],
  hooks: {},
  linux: {
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
    maskedPaths: ['/proc/keys', '/sys/firmware', '/etc/secret'],
    readonlyPaths: ['/proc/sys'],
  },
})

/** Makes a bundle in a directory. */
export const makeBundle = (
  directory: string,
  args: readonly string[],
  change: (config: Config) => void = () => {},
): string => {
  const bin = join(directory, 'rootfs/bin')
  if (!existsSync(bin)) {
    mkdirSync(bin, { recursive: true })
    copyFileSync(BUSYBOX, join(bin, 'busybox'))
    for (const name of APPLETS) symlinkSync('busybox', join(bin, name))
  }
  const config = defaults(args)
  change(config)
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  return directory
}

export interface OciCall {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Calls the runtime, with the state of its containers below a directory, and waits for its end. What it says goes to
 * files: a container's process has them too, and a pipe would keep us waiting for that one's end.
 */
export const ociCaller =
  (root: string) =>
  (...args: readonly string[]): OciCall => {
    const [out, err] = [`${root}.out`, `${root}.err`]
    const fds = [out, err].map((path) => openSync(path, 'w+'))
    try {
      const { status } = spawnSync(OCI, ['--root', root, ...args], {
        env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
        stdio: ['ignore', ...fds],
        timeout: 60_000,
      })
      return { status, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') }
    } finally {
      for (const fd of fds) closeSync(fd)
    }
  }
