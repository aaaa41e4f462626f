import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import type { Case } from '../case.ts'
import type { Config, Json } from '../config.ts'
import { baseConfig, listOf } from '../config.ts'
import { prints, refuses, shows } from '../expect.ts'

const SYSCTL = 'config-linux.md, Sysctl'
const SECCOMP = 'config-linux.md, Seccomp'

const linux = (more: Config): Config => ({ linux: more })

const seccomp = (more: Config, ...syscalls: readonly Json[]): Config =>
  linux({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls, ...more } })

const TRY = 'mkdir /tmp/d 2>&1 | grep -o "[A-Z][a-z ]*$"; test -d /tmp/d && echo made || echo refused'

const mkdir = (more: Config): Config => ({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', ...more })

const ROOT = 'awk \'$5 == "/"\' /proc/self/mountinfo'

const propagation = (line: string): string => line.split(' ').slice(6, line.split(' ').indexOf('-')).join(' ')

export const linuxCases: readonly Case[] = [
  prints(
    SYSCTL,
    'a parameter of the network namespace',
    linux({ sysctl: { 'net.ipv4.ip_forward': '1' } }),
    'cat /proc/sys/net/ipv4/ip_forward',
    ['1'],
  ),
  prints(
    SYSCTL,
    'a parameter of the ipc namespace',
    linux({ sysctl: { 'kernel.shmmax': '16777216' } }),
    'cat /proc/sys/kernel/shmmax',
    ['16777216'],
  ),
  refuses(
    SYSCTL,
    'a parameter of the whole host is none of the container’s',
    linux({ sysctl: { 'vm.swappiness': '10' } }),
  ),
  prints(SECCOMP, 'a call is refused, by default with EPERM', seccomp({}, mkdir({})), TRY, [
    'Operation not permitted',
    'refused',
  ]),
  prints(SECCOMP, 'errnoRet is what a call fails with', seccomp({}, mkdir({ errnoRet: 28 })), TRY, [
    'No space left on device',
    'refused',
  ]),
  prints(SECCOMP, 'what no rule names is allowed where that is the default', seccomp({}), TRY, ['made']),
  prints(
    SECCOMP,
    'the default, and its errno',
    linux({
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          mkdir({ action: 'SCMP_ACT_ERRNO', errnoRet: 38, args: [{ index: 1, value: 0o777, op: 'SCMP_CMP_EQ' }] }),
        ],
      },
    }),
    'mkdir -m 0755 /tmp/a 2>/dev/null; mkdir /tmp/d 2>&1 | grep -o "[A-Z][a-z ]*$"',
    ['Function not implemented'],
  ),
  prints(
    SECCOMP,
    'all the conditions on arguments must hold',
    seccomp(
      {},
      {
        names: ['kill'],
        action: 'SCMP_ACT_ERRNO',
        args: [
          { index: 0, value: 1, op: 'SCMP_CMP_EQ' },
          { index: 1, value: 0, op: 'SCMP_CMP_EQ' },
        ],
      },
    ),
    'kill -0 1 2>/dev/null && echo allowed || echo refused; kill -CONT 1 && echo allowed',
    ['refused', 'allowed'],
  ),
  prints(
    SECCOMP,
    'a masked comparison',
    seccomp(
      {},
      {
        names: ['kill'],
        action: 'SCMP_ACT_ERRNO',
        args: [{ index: 1, value: 0xff, valueTwo: 18, op: 'SCMP_CMP_MASKED_EQ' }],
      },
    ),
    'kill -0 1 && echo allowed; kill -CONT 1 2>/dev/null && echo allowed || echo refused',
    ['allowed', 'refused'],
  ),
  prints(
    SECCOMP,
    'SCMP_ACT_KILL_PROCESS',
    seccomp({}, mkdir({ action: 'SCMP_ACT_KILL_PROCESS' })),
    'mkdir /tmp/d; echo $?',
    ['159'],
  ),
  refuses(
    SECCOMP,
    'an errno with an action that has none is an error',
    seccomp({}, mkdir({ action: 'SCMP_ACT_KILL', errnoRet: 1 })),
    { differs: { runc: 'runc 1.1 ignores it' } },
  ),
  refuses(SECCOMP, 'an action that doesn’t exist is an error', seccomp({}, mkdir({ action: 'SCMP_ACT_LAUGH' }))),
  refuses(SECCOMP, 'a flag that doesn’t exist is an error', seccomp({ flags: ['SECCOMP_FILTER_FLAG_FLY'] }, mkdir({}))),
  ...(
    [
      ['private', /^$/, {}],
      ['slave', /^(master:\d+)?$/, {}],
      ['shared', /^shared:\d+/, { runc: 'runc 1.1 forgets it when it pivots' }],
      ['unbindable', /^unbindable$/, { runc: 'runc 1.1 fails at it' }],
    ] as const
  ).map(([rootfsPropagation, shown, differs]) =>
    shows(
      'config-linux.md, Rootfs Mount Propagation',
      rootfsPropagation,
      linux({ rootfsPropagation }),
      ROOT,
      (line) => {
        assert.match(propagation(line), shown)
      },
      { differs },
    ),
  ),
  prints(
    'config-linux.md, Masked Paths',
    'a file is empty',
    linux({ maskedPaths: ['/proc/meminfo'] }),
    'wc -c < /proc/meminfo',
    ['0'],
  ),
  prints(
    'config-linux.md, Masked Paths',
    'a directory is empty',
    linux({ maskedPaths: ['/proc/irq'] }),
    'ls /proc/irq | wc -l',
    ['0'],
  ),
  prints(
    'config-linux.md, Masked Paths',
    'a path that isn’t there is no error',
    linux({ maskedPaths: ['/proc/nonesuch'] }),
    'echo runs',
    ['runs'],
  ),
  prints(
    'config-linux.md, Readonly Paths',
    'nothing below it can be written to',
    { linux: { readonlyPaths: ['/srv'] } },
    'touch /srv/x 2>/dev/null && echo written || echo refused; touch /root/x && echo written',
    ['refused', 'written'],
  ),
  prints(
    'config-linux.md, Personality',
    'LINUX32',
    linux({ personality: { domain: 'LINUX32' } }),
    'uname -m',
    ['i686'],
    {
      differs: { runc: 'runc 1.1 has none' },
      lacks: () => (process.arch === 'x64' ? undefined : 'what uname says is another word on other processors'),
    },
  ),
  refuses(
    'config-linux.md, IntelRdt',
    'it is an error where no resctrl is mounted',
    linux({ intelRdt: { closID: 'guaranteed' } }),
    {
      differs: { runc: 'runc 1.1 takes it', crun: 'crun 1.8 takes it' },
      lacks: () => (existsSync('/sys/fs/resctrl/schemata') ? 'this host has resctrl' : undefined),
    },
  ),
  prints(
    'config-linux.md, Default Filesystems',
    'proc, sysfs, devpts and tmpfs, where they are listed, are what they say',
    {
      mounts: [
        ...listOf(baseConfig(''), 'mounts'),
        { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro', 'nosuid'] },
      ],
    },
    'for path in /proc /sys /dev/pts /dev/shm; do grep " $path " /proc/self/mountinfo | sed "s/.* - //" | cut -d" " -f1; done',
    ['proc', 'sysfs', 'devpts', 'tmpfs'],
  ),
]
