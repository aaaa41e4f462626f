import assert from 'node:assert/strict'
import { readMountinfo } from '../../../src/linux/mountinfo.ts'
import type { Case, Differs } from '../case.ts'
import type { Config, Json } from '../config.ts'
import { baseConfig, listOf } from '../config.ts'
import { prints, shows } from '../expect.ts'

const MOUNTS = 'config.md, Mounts'
const OPTIONS = 'config.md, Linux mount options'

/** Mounts beside those that every case has. */
const mounts = (...more: readonly Json[]): Config => ({ mounts: [...listOf(baseConfig(''), 'mounts'), ...more] })

const tmpfs = (destination: string, ...options: readonly string[]): Config => ({
  destination,
  type: 'tmpfs',
  source: 'tmpfs',
  options,
})

const bind = (source: string, destination: string, ...options: readonly string[]): Config => ({
  destination,
  type: 'none',
  source,
  options: ['rbind', ...options],
})

/** The options of the mount at /mnt: its own, its propagation (what stands before the hyphen), its file system's. */
const SHOW = 'grep " /mnt " /proc/self/mountinfo'

const own = (line: string): readonly string[] => (line.split(' ')[5] ?? '').split(',')
const superblock = (line: string): readonly string[] => (line.split(' ').at(-1) ?? '').split(',')
const propagation = (line: string): string => line.split(' ').slice(6, line.split(' ').indexOf('-')).join(' ')

/** An option of a tmpfs at /mnt is to be seen, or not. */
const option = (
  options: readonly string[],
  has: readonly string[],
  hasNot: readonly string[] = [],
  differs: Differs = {},
): Case =>
  shows(
    OPTIONS,
    options.join(', '),
    mounts(tmpfs('/mnt', ...options)),
    SHOW,
    (line) => {
      const seen = own(line)
      for (const each of has) assert.ok(seen.includes(each), `${each} in ${line}`)
      for (const each of hasNot) assert.ok(!seen.includes(each), `no ${each} in ${line}`)
    },
    { differs },
  )

const ADDS: Differs = { crun: 'crun 1.8 does not take an option back' }
const LATE: Differs = { crun: 'crun 1.8 makes every mount private in the end' }

const propagates = (word: string, shown: RegExp, differs: Differs = {}): Case =>
  shows(
    OPTIONS,
    `${word}, of a mount bound`,
    mounts(bind('shared', '/mnt', word)),
    SHOW,
    (line) => assert.match(propagation(line), shown),
    { differs, prepare: (container) => container.write('shared/file', '') },
  )

/** The host's sysfs with what is mounted in it, bound with an option: which of its mounts are to show a word. */
const ofAll = (given: string, word: string, which: 'all' | 'the first', differs: Differs = {}): Case =>
  shows(
    OPTIONS,
    `${given}, of a tree of mounts`,
    mounts(bind('/sys', '/mnt', given)),
    'cut -d" " -f5,6 /proc/self/mountinfo | grep ^/mnt',
    (output) => {
      const lines = output.split('\n')
      assert.ok(lines.length > 1, output)
      for (const [index, line] of lines.entries()) {
        const has = (line.split(' ')[1] ?? '').split(',').includes(word)
        assert.equal(has, which === 'all' || index === 0, line)
      }
    },
    {
      differs,
      lacks: () =>
        readMountinfo().some(({ mountPoint }) => mountPoint.startsWith('/sys/'))
          ? undefined
          : 'this host has nothing mounted below /sys',
    },
  )

export const mountCases: readonly Case[] = [
  shows(
    MOUNTS,
    'they are made in the order of the list',
    mounts(tmpfs('/mnt'), tmpfs('/mnt/a'), tmpfs('/mnt')),
    'grep -c " /mnt " /proc/self/mountinfo; ls /mnt',
    (output) => {
      assert.equal(output, '2')
    },
  ),
  prints(
    MOUNTS,
    'one may lie in one before it',
    mounts(tmpfs('/mnt'), tmpfs('/mnt/deep/er')),
    'cut -d" " -f5 /proc/self/mountinfo | grep /mnt',
    ['/mnt', '/mnt/deep/er'],
  ),
  prints(
    MOUNTS,
    'a relative destination is relative to "/"',
    mounts(tmpfs('mnt')),
    'grep -c " /mnt " /proc/self/mountinfo',
    ['1'],
  ),
  prints(
    MOUNTS,
    'a relative source of a bind mount is relative to the bundle',
    mounts(bind('shared', '/mnt')),
    'cat /mnt/file',
    ['text'],
    { prepare: (container) => container.write('shared/file', 'text\n') },
  ),
  prints(
    MOUNTS,
    'a file can be bound to a place where there is none',
    (bundle) => mounts(bind(`${bundle}/file`, '/srv/new/file', 'ro')),
    'cat /srv/new/file',
    ['text'],
    { prepare: (container) => container.write('file', 'text\n') },
  ),
  shows(
    MOUNTS,
    'the type is the file system’s',
    mounts({ destination: '/mnt', type: 'ramfs', source: 'ramfs' }),
    SHOW,
    (line) => {
      assert.match(line, / - ramfs /)
    },
  ),
  shows(
    OPTIONS,
    'what isn’t known is for the file system',
    mounts(tmpfs('/fresh', 'size=64k', 'mode=711')),
    'grep " /fresh " /proc/self/mountinfo; stat -c %a /fresh',
    (output) => {
      const [line = '', mode] = output.split('\n')
      assert.ok(superblock(line).includes('size=64k'), line)
      assert.equal(mode, '711')
    },
  ),
  shows(
    OPTIONS,
    'what is in the superblock: sync and dirsync',
    mounts(tmpfs('/mnt', 'sync', 'dirsync')),
    SHOW,
    (line) => {
      for (const word of ['sync', 'dirsync']) assert.ok(superblock(line).includes(word), line)
    },
  ),
  ofAll('rro', 'ro', 'all'),
  ofAll('rnoatime', 'noatime', 'all', { crun: 'crun 1.8 fails at it' }),
  ofAll('rnodiratime', 'nodiratime', 'all', { crun: 'crun 1.8 fails at it' }),
  ofAll('nodiratime', 'nodiratime', 'the first'),
  option(['nosymfollow'], ['nosymfollow'], [], { crun: 'crun 1.8 does not know it' }),
  option(['ro'], ['ro'], ['rw']),
  option(['rw'], ['rw'], ['ro']),
  option(['ro', 'rw'], ['rw'], ['ro'], ADDS),
  option(['nosuid'], ['nosuid'], ['nodev', 'noexec']),
  option(['nosuid', 'suid'], [], ['nosuid'], ADDS),
  option(['nodev'], ['nodev'], ['nosuid']),
  option(['nodev', 'dev'], [], ['nodev'], ADDS),
  option(['noexec'], ['noexec'], ['nosuid']),
  option(['noexec', 'exec'], [], ['noexec'], ADDS),
  option(['noatime'], ['noatime'], ['relatime']),
  option(['nodiratime'], ['nodiratime']),
  option(['nodiratime', 'diratime'], [], ['nodiratime'], ADDS),
  option(['relatime'], ['relatime'], ['noatime']),
  option(['strictatime'], [], ['relatime', 'noatime']),
  option(['defaults'], ['rw', 'relatime'], ['nosuid', 'nodev', 'noexec'], {
    runc: 'runc 1.1 hands it to the file system',
  }),
  option(['async', 'loud', 'nolazytime'], ['rw'], [], { crun: 'crun 1.8 does not know them all' }),
  propagates('rprivate', /^$/),
  propagates('private', /^$/),
  propagates('rshared', /^shared:\d+$/, LATE),
  propagates('shared', /^shared:\d+$/, LATE),
  propagates('rslave', /^(master:\d+)?$/),
  propagates('unbindable', /^unbindable$/, LATE),
  propagates('runbindable', /^unbindable$/, LATE),
  shows(
    OPTIONS,
    'bind, and not what is mounted below',
    mounts(tmpfs('/mnt'), tmpfs('/mnt/a')),
    'mkdir /mnt/a/b; ls -R /mnt',
    (output) => {
      assert.match(output, /\/mnt\/a:\nb/)
    },
  ),
  shows(
    OPTIONS,
    'ro, of a mount bound, and nothing of its source',
    (bundle) => mounts(bind(`${bundle}/shared`, '/mnt', 'ro', 'nosuid', 'noexec')),
    `${SHOW}; touch /mnt/x 2>&1 || true`,
    (output) => {
      assert.match(output, /Read-only file system/)
      assert.deepEqual(own(output.split('\n')[0] ?? '').slice(0, 3), ['ro', 'nosuid', 'noexec'])
    },
    { prepare: (container) => container.write('shared/file', '') },
  ),
]
