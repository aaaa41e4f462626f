// What the tests of systems share: a small one, of busybox, in a directory.
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const BUSYBOX: string | undefined = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))

const lack = (): string | false => {
  if (BUSYBOX === undefined) return 'needs busybox'
  const file = readFileSync(BUSYBOX, 'latin1')
  // A dynamic one needs libraries that the system hasn't.
  return file.includes('/ld-linux') || file.includes('/ld-musl') ? 'needs a static busybox' : false
}

/** Why there can be no such system here. For `test`'s option `skip`. */
export const NO_SYSTEM: string | false = lack()

const APPLETS = [
  'sh',
  'cat',
  'env',
  'hostname',
  'id',
  'ls',
  'passwd',
  'readlink',
  'rm',
  'sleep',
  'stty',
  'su',
  'touch',
  'tty',
]

/** To whom the files of a system belong: root's, and those of the user ann, who is 1000. */
export interface Owners {
  readonly root: number
  readonly ann: number
}

/** Makes a system in a directory, with root and ann, both with a locked password, and set-user-id su and passwd. */
export const makeSystem = (path: string, owners: Owners = { root: 0, ann: 1000 }): string => {
  const made: string[] = []
  const directory = (name: string, mode = 0o755): void => {
    mkdirSync(join(path, name), { mode, recursive: true })
    made.push(name)
  }
  const file = (name: string, text: string, mode = 0o644): void => {
    writeFileSync(join(path, name), text, { mode })
    made.push(name)
  }
  for (const name of ['.', 'bin', 'etc', 'home']) directory(name)
  directory('root', 0o700)
  directory('home/ann')
  copyFileSync(BUSYBOX ?? '', join(path, 'bin/busybox'))
  made.push('bin/busybox')
  for (const name of APPLETS) symlinkSync('busybox', join(path, 'bin', name))
  file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nsys:x:3:3::/:/bin/nologin\n')
  file('etc/group', 'root:x:0:\nann:x:1000:\n')
  file('etc/shadow', 'root:!:19000:0:99999:7:::\nann:!:19000:0:99999:7:::\n', 0o600)
  for (const name of made) {
    const owner = name === 'home/ann' ? owners.ann : owners.root
    chownSync(join(path, name), owner, owner)
  }
  chmodSync(join(path, 'bin/busybox'), 0o4755)
  return path
}

/** The line of a user in the system's /etc/shadow: the password's hash. */
export const hashOf = (path: string, user: string): string =>
  readFileSync(join(path, 'etc/shadow'), 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user)?.[1] ?? ''
