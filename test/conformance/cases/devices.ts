import { existsSync } from 'node:fs'
import type { Case } from '../case.ts'
import type { Config, Json } from '../config.ts'
import { prints, refuses } from '../expect.ts'

const DEFAULT = 'config-linux.md, Default Devices'
const DEVICES = 'config-linux.md, Devices'
const ALLOWED = 'config-linux.md, Allowed Device list'
const LINKS = 'runtime-linux.md, Dev symbolic links'

const NUMBERS: readonly (readonly [name: string, numbers: string])[] = [
  ['null', '1:3'],
  ['zero', '1:5'],
  ['full', '1:7'],
  ['random', '1:8'],
  ['urandom', '1:9'],
  ['tty', '5:0'],
]

const devices = (...list: readonly Json[]): Config => ({ linux: { devices: list } })

/** /dev/fuse under another name: a device that no container has by itself, and that does nothing when it is opened. */
const FUSE = { path: '/dev/test', type: 'c', major: 10, minor: 229, fileMode: 0o640, uid: 7, gid: 8 }

/** Beside the device, rules for it. */
const rules = (...list: readonly Json[]): Config => ({
  linux: { devices: [{ ...FUSE, fileMode: 0o666 }], resources: { devices: list } },
})

const OPEN = '(exec 3</dev/test) 2>/dev/null && echo opened || echo refused'
const lacks = (): string | undefined => (existsSync('/dev/fuse') ? undefined : 'this host has no /dev/fuse')

const NOTHING = { allow: false, access: 'rwm' }

export const deviceCases: readonly Case[] = [
  ...NUMBERS.map(([name, numbers]) => {
    const [major = '', minor = ''] = numbers.split(':')
    return prints(DEFAULT, `/dev/${name}`, {}, `stat -c "%F %t:%T %a" /dev/${name}`, [
      `character special file ${Number(major).toString(16)}:${Number(minor).toString(16)} 666`,
    ])
  }),
  prints(
    DEFAULT,
    'they can be used',
    { linux: { resources: { devices: [NOTHING] } } },
    'head -c3 /dev/zero | wc -c; echo gone > /dev/null; head -c2 /dev/urandom | wc -c',
    ['3', '2'],
  ),
  prints(
    DEFAULT,
    '/dev/ptmx is the container’s own',
    {},
    'stat -L -c %t:%T /dev/ptmx; ls -i /dev/pts/ptmx | cut -d/ -f1 | tr -d " "; stat -L -c %i /dev/ptmx',
    ['5:2', '2', '2'],
  ),
  ...(
    [
      ['fd', '/proc/self/fd'],
      ['stdin', '/proc/self/fd/0'],
      ['stdout', '/proc/self/fd/1'],
      ['stderr', '/proc/self/fd/2'],
    ] as const
  ).map(([name, target]) => prints(LINKS, `/dev/${name}`, {}, `readlink /dev/${name}`, [target])),
  prints(
    DEVICES,
    'a device has the type, numbers, mode and owner that are given',
    devices(FUSE),
    'stat -c "%F %t:%T %a %u:%g" /dev/test',
    ['character special file a:e5 640 7:8'],
  ),
  prints(
    DEVICES,
    'a block device',
    devices({ path: '/dev/disk', type: 'b', major: 7, minor: 9 }),
    'stat -c "%F %t:%T" /dev/disk',
    ['block special file 7:9'],
  ),
  prints(
    DEVICES,
    'a pipe, which has no numbers',
    devices({ path: '/dev/pipe', type: 'p', fileMode: 0o600 }),
    'stat -c "%F %a" /dev/pipe',
    ['fifo 600'],
  ),
  prints(
    DEVICES,
    'it may be elsewhere than in /dev',
    devices({ ...FUSE, path: '/srv/deep/er/test' }),
    'stat -c %F /srv/deep/er/test',
    ['character special file'],
  ),
  refuses(
    DEVICES,
    'a file that is there already and is another is an error',
    devices({ ...FUSE, path: '/etc/taken' }),
    {
      prepare: (container) => container.write('rootfs/etc/taken', 'a file\n'),
      differs: { runc: 'runc takes what is there', crun: 'crun takes what is there' },
    },
  ),
  prints(ALLOWED, 'what is denied can’t be opened', rules(NOTHING), OPEN, ['refused']),
  prints(
    ALLOWED,
    'what is allowed after that can',
    rules(NOTHING, { allow: true, type: 'c', major: 10, minor: 229, access: 'r' }),
    OPEN,
    ['opened'],
    { lacks },
  ),
  prints(
    ALLOWED,
    'the last that matches decides',
    rules(
      NOTHING,
      { allow: true, type: 'c', major: 10, minor: 229, access: 'r' },
      { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
    ),
    OPEN,
    ['refused'],
  ),
  prints(
    ALLOWED,
    'access is as it is given',
    rules(NOTHING, { allow: true, type: 'c', major: 10, minor: 229, access: 'w' }),
    OPEN,
    ['refused'],
  ),
  prints(
    ALLOWED,
    'without a number any is meant',
    rules(NOTHING, { allow: true, type: 'c', major: 10, access: 'rwm' }),
    OPEN,
    ['opened'],
    { lacks },
  ),
]
