// What the tests of `tare boot` share: systems small enough to be made for each of them, from this host's own programs.
import type { Dirent } from 'node:fs'
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { after } from 'node:test'
import { buildRoot, closure } from '../../src/index.ts'
import { readCgroupLayout } from '../../src/linux/index.ts'
import { NO_TERMINAL, Session } from './session.ts'
import { NO_CONTAINERS, isRoot } from './tare.ts'

const SYSTEMD = '/lib/systemd/systemd'
const BUSYBOX = '/bin/busybox'

export const NO_SYSTEMD: string | false = [SYSTEMD, '/usr/bin/dbus-daemon', '/bin/login', '/sbin/agetty'].every(
  (path) => existsSync(path),
)
  ? false
  : 'needs systemd, dbus and login (packages systemd-sysv, dbus, login, util-linux)'

export const NO_BUSYBOX: string | false = existsSync(BUSYBOX) ? false : 'needs busybox (package busybox-static)'

/** Root's password in the systems that are made here. */
export const PASSWORD = 'correct horse'
/** Of that, by sha512crypt (crypt(5)). */
const HASH = '$6$tare$1n/1bT1HUqJWDBLZOyUYDTrqmwFEwiLgE9YGNvWp15XFTbfVGvcDMtprWSiv0bkXy8RMoMRGL/n4cRVOkRWem/'

const DEBIAN_SECURITY = '/lib/x86_64-linux-gnu/security'

/** A directory that only root may enter, removed when all tests of the file are through. */
const makeDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-machine-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

const write = (root: string, files: Readonly<Record<string, string>>): void => {
  for (const [path, content] of Object.entries(files)) {
    const full = join(root, path)
    mkdirSync(join(full, '..'), { recursive: true })
    writeFileSync(full, content)
  }
}

/** This host's systemd with journal, login and D-Bus, and nothing else but these programs. Returns its directory. */
export const makeSystemd = async (hostname: string, more: readonly string[] = []): Promise<string> => {
  const output = join(makeDirectory(), 'box')
  const programs =
    'systemctl journalctl systemd-tmpfiles systemd-sysusers dbus-daemon agetty login sulogin mount umount bash sh cat grep tr ls stty tty sleep true touch'
  const include = ['/lib/systemd', '/usr/share/dbus-1', '/sbin/init', '/sbin/poweroff']
  const security = existsSync(DEBIAN_SECURITY) ? [DEBIAN_SECURITY] : []
  const needed = closure([SYSTEMD, ...programs.split(' '), ...more], {
    include: [...include, '/sbin/reboot', ...security],
  })
  await buildRoot(needed, { output })
  for (const path of ['var/log/journal', 'var/lib', 'var/tmp', 'run'])
    mkdirSync(join(output, path), { recursive: true })
  mkdirSync(join(output, 'root'), { mode: 0o700 })
  write(output, {
    'etc/passwd':
      'root:x:0:0:root:/root:/bin/bash\nmessagebus:x:100:102::/nonexistent:/bin/false\nnobody:x:65534:65534::/:/bin/false\n',
    'etc/group':
      'root:x:0:\nadm:x:4:\ntty:x:5:\nutmp:x:43:\nsystemd-journal:x:101:\nmessagebus:x:102:\nnogroup:x:65534:\n',
    'etc/shadow': `root:${HASH}:19000:0:99999:7:::\nmessagebus:*:19000::::::\n`,
    'etc/pam.d/login':
      'auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_unix.so\nsession optional pam_systemd.so\n',
    'etc/pam.d/systemd-user':
      'account required pam_unix.so\nsession required pam_unix.so\nsession optional pam_systemd.so\n',
    'etc/hostname': `${hostname}\n`,
    'etc/machine-id': '',
    'etc/os-release': 'ID=tare-test\nPRETTY_NAME="A small system"\n',
    'etc/systemd/system/stop.service': `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/touch /root/stopped-in-order\n`,
    'root/.bashrc': "PS1='> '\n",
    'root/.profile': "PS1='> '\n",
  })
  chmodSync(join(output, 'etc/shadow'), 0o600)
  const wants = join(output, 'etc/systemd/system/multi-user.target.wants')
  mkdirSync(wants, { recursive: true })
  symlinkSync('../stop.service', join(wants, 'stop.service'))
  return output
}

/** Busybox alone, as init too. Returns its directory. */
export const makeBusybox = (): string => {
  const output = join(makeDirectory(), 'tiny')
  for (const path of ['bin', 'sbin', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'root'])
    mkdirSync(join(output, path), { recursive: true })
  copyFileSync(BUSYBOX, join(output, 'bin/busybox'))
  for (const name of [
    'sh',
    'true',
    'login',
    'cat',
    'stty',
    'tty',
    'sleep',
    'touch',
    'ls',
    'hostname',
    'mount',
    'umount',
    'mkdir',
  ])
    symlinkSync('busybox', join(output, 'bin', name))
  for (const name of ['init', 'getty', 'poweroff', 'reboot', 'halt'])
    symlinkSync('../bin/busybox', join(output, 'sbin', name))
  write(output, {
    'etc/inittab': '::respawn:/sbin/getty -L 0 console vt220\n::shutdown:/bin/touch /root/stopped-in-order\n',
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
    'etc/shadow': `root:${HASH}:19000:0:99999:7:::\n`,
    'root/.profile': "PS1='> '\n",
  })
  chmodSync(join(output, 'etc/shadow'), 0o600)
  return output
}

const unified = readCgroupLayout().hierarchies.find(({ version }) => version === 2)
/** Whether a control group was handed over to this user, to make groups in. */
const isDelegated = (): boolean => {
  const own = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
  if (unified === undefined || own === undefined) return false
  try {
    accessSync(join(unified.mountPoint, own, 'cgroup.procs'), constants.W_OK)
    return true
  } catch {
    return false // it is somebody else's
  }
}

/** Why there can be no machines here. For `test`'s option `skip`. */
export const NO_MACHINES: string | false =
  NO_CONTAINERS ||
  NO_TERMINAL ||
  (unified === undefined ? 'needs cgroup v2' : false) ||
  (isRoot || isDelegated() ? false : 'needs root, or a delegated control group (systemd-run --user -p Delegate=yes)')

/** Control groups of this Tare's machines. */
export const groupsOf = (pid: number): readonly string[] => {
  const directories = (directory: string): readonly Dirent[] => {
    try {
      return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    } catch {
      return [] // removed meanwhile, or another user's
    }
  }
  const below = (directory: string): readonly string[] =>
    directories(directory).flatMap(({ name }) => (name.endsWith(`.${pid}`) ? [name] : below(join(directory, name))))
  return unified === undefined ? [] : below(unified.mountPoint)
}

/**
 * Processes of this host that are in a system made here. By its mount, which they all see at "/": the link to its root
 * directory says no more than "/" of a process in another mount namespace (proc_pid_root(5)). By the last two names of
 * the directory, since the mount has it as its file system does; they are no other's.
 */
export const processesIn = (box: string): readonly string[] => {
  const mount = `/${basename(dirname(box))}/${basename(box)} / `
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(mount)
    } catch {
      return false // it has ended
    }
  })
}

/** A machine, and a person in front of it; ended with the test, however that goes. */
export const startMachine = (t: TestContext, args: readonly string[], size = { rows: 24, columns: 80 }): Session => {
  const session = new Session(args, size)
  let over = false
  void session.status.finally(() => {
    over = true
  })
  t.after(async () => {
    if (!over) process.kill(session.pid, 'SIGKILL')
    await session.status
    session.close()
  })
  return session
}

/** Root's login. */
export const logIn = async (session: Session, password: string = PASSWORD): Promise<void> => {
  await session.see(/login: /)
  session.type('root\r')
  await session.see(/Password: /)
  session.type(`${password}\r`)
  await session.see(/> /)
}

/**
 * In the shell's place: bash, where it is hung up between two looks for that, goes on waiting for a key, and systemd 90
 * seconds for bash.
 */
export const leave = (session: Session, command: string): void => session.type(`exec ${command}\r`)
