import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import type { Case, Differs } from '../case.ts'
import type { Config } from '../config.ts'
import { baseConfig, changed, listOf } from '../config.ts'
import { lives } from '../case.ts'
import { prints, refuses, shows } from '../expect.ts'

const NAMESPACES = 'config-linux.md, Namespaces'

const SHORT = {
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  cgroup: 'cgroup',
  time: 'time',
} as const

type Type = keyof typeof SHORT

const TYPES: readonly Type[] = ['pid', 'network', 'mount', 'ipc', 'uts', 'cgroup', 'time']

const ownOf = (type: Type): string => readlinkSync(`/proc/self/ns/${SHORT[type]}`)

/** All that a case has but for these, and with these. */
const namespaces = (without: readonly string[], ...more: readonly Config[]): Config => ({
  linux: {
    namespaces: [
      ...listOf(baseConfig(''), 'linux', 'namespaces').filter(
        (each) => !without.some((type) => JSON.stringify(each) === JSON.stringify({ type })),
      ),
      ...more,
    ],
  },
})

const OLD: Differs = { runc: 'runc 1.1 has no time namespaces', crun: 'crun 1.8 fails at it' }

const lacksTime = (): string | undefined =>
  existsSync('/proc/self/ns/time') ? undefined : 'this kernel has no time namespaces'

const made = (type: Type): Case =>
  shows(
    NAMESPACES,
    `${type} is made where it is listed`,
    namespaces([type], { type }),
    `readlink /proc/self/ns/${SHORT[type]}`,
    (output) => {
      assert.match(output, new RegExp(`^${SHORT[type]}:\\[\\d+\\]$`))
      assert.notEqual(output, ownOf(type))
    },
    type === 'time' ? { differs: OLD, lacks: lacksTime } : {},
  )

const inherited = (type: Type): Case =>
  shows(
    NAMESPACES,
    `${type} is the runtime’s where it isn’t listed`,
    { ...namespaces([type]), ...(type === 'uts' ? { hostname: undefined } : {}) },
    `readlink /proc/self/ns/${SHORT[type]}`,
    (output) => assert.equal(output, ownOf(type)),
  )

/** Runs a story beside a process in a namespace of its own, whose file it is given. */
const beside = async (type: Type, story: (path: string) => void): Promise<void> => {
  const flag = {
    pid: '--pid',
    network: '--net',
    mount: '--mount',
    ipc: '--ipc',
    uts: '--uts',
    cgroup: '--cgroup',
    time: '--time',
  }
  const other = spawn('unshare', [flag[type], '--fork', '--kill-child', 'sh', '-c', 'echo up; exec sleep 60'])
  try {
    await once(other.stdout, 'data')
    const pid = readFileSync(`/proc/${other.pid}/task/${other.pid}/children`, 'ascii').trim()
    story(`/proc/${pid}/ns/${SHORT[type]}`)
  } finally {
    other.kill('SIGKILL')
    await once(other, 'close')
  }
}

const joined = (type: Type): Case =>
  lives(
    NAMESPACES,
    `${type} is joined where it has a path`,
    { process: { args: ['readlink', `/proc/self/ns/${SHORT[type]}`] } },
    (container) =>
      beside(type, (path) => {
        container.configure(
          changed(changed(container.config, { hostname: undefined }), namespaces([type], { type, path })),
        )
        const expected = readlinkSync(path)
        const { stdout } = container.must('run', '--bundle', container.bundle, container.id)
        assert.equal(stdout.trim(), expected)
      }),
    { differs: type === 'time' ? OLD : {} },
  )

const USER = 'config-linux.md, User namespace mappings'

const mapped = changed(namespaces([], { type: 'user' }), {
  linux: {
    uidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
    gidMappings: [{ containerID: 0, hostID: 200_000, size: 2000 }],
  },
})

export const namespaceCases: readonly Case[] = [
  ...TYPES.map(made),
  ...(['pid', 'network', 'ipc', 'uts', 'cgroup', 'time'] as const).map(inherited),
  ...(['network', 'ipc', 'uts', 'pid', 'cgroup'] as const).map(joined),
  refuses(
    NAMESPACES,
    'a path to a namespace of another type is an error',
    namespaces(['network'], { type: 'network', path: '/proc/self/ns/uts' }),
  ),
  refuses(
    NAMESPACES,
    'a path that isn’t there is an error',
    namespaces(['network'], { type: 'network', path: '/run/netns/none-of-that-name' }),
  ),
  refuses(
    NAMESPACES,
    'a path to something else is an error',
    namespaces(['network'], { type: 'network', path: '/etc/hostname' }),
  ),
  refuses(NAMESPACES, 'a type that is there twice is an error', namespaces([], { type: 'pid' }), {
    differs: { crun: 'crun 1.8 takes it' },
  }),
  prints(USER, 'ids are mapped', mapped, 'tr -s " " < /proc/self/uid_map; tr -s " " < /proc/self/gid_map; id -u', [
    ' 0 100000 1000',
    ' 0 200000 2000',
    '0',
  ]),
  prints(
    'config-linux.md, Offset for Time Namespace',
    'clocks are moved',
    changed(namespaces([], { type: 'time' }), {
      linux: { timeOffsets: { monotonic: { secs: 172_800, nanosecs: 1 }, boottime: { secs: 604_800 } } },
    }),
    'tr -s " " < /proc/self/timens_offsets',
    ['monotonic 172800 1', 'boottime 604800 0'],
    { differs: OLD, lacks: lacksTime },
  ),
]
