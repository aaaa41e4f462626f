import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { capabilitySet } from '../../../src/linux/capability.ts'
import type { Case } from '../case.ts'
import type { Config } from '../config.ts'
import { lives } from '../case.ts'
import { prints, refuses, shows } from '../expect.ts'

const PROCESS = 'config.md, Process'
const POSIX = 'config.md, POSIX process'
const LINUX = 'config.md, Linux Process'
const USER = 'config.md, POSIX-platform User'

const process = (more: Config): Config => ({ process: more })

const rlimit = (type: string, soft: number, hard: number): Config => ({ type, soft, hard })

/** The five sets as /proc shows them. */
const sets = (output: string): Readonly<Record<string, bigint>> =>
  Object.fromEntries(
    output.split('\n').map((line) => {
      const [name = '', digits = ''] = line.split(/:\s*/)
      return [name, BigInt(`0x${digits}`)]
    }),
  )

const TWO = ['CAP_KILL', 'CAP_CHOWN']

export const processCases: readonly Case[] = [
  prints(PROCESS, 'cwd is the working directory', process({ cwd: '/srv' }), 'pwd', ['/srv']),
  refuses(PROCESS, 'cwd is an absolute path', process({ cwd: 'srv' }), { differs: { crun: 'crun takes it' } }),
  prints(
    PROCESS,
    'env is the environment, and nothing else is in it',
    process({ env: ['PATH=/bin', 'EMPTY=', 'TWO=a=b c', 'HOME=/root'] }),
    'xargs -0 -n1 < /proc/self/environ echo',
    ['PATH=/bin', 'EMPTY=', 'TWO=a=b c', 'HOME=/root'],
  ),
  lives(
    PROCESS,
    'args are the words of the program, of which the first is looked up in PATH',
    process({ args: ['echo', 'a b', '', '$HOME'], env: ['PATH=/nowhere:/bin'] }),
    (container) => {
      assert.equal(container.must('run', '--bundle', container.bundle, container.id).stdout, 'a b  $HOME\n')
    },
  ),
  lives(
    PROCESS,
    'the exit status of the program is what run ends with',
    process({ args: ['sh', '-c', 'exit 7'] }),
    (container) => {
      assert.equal(container.verb('run', '--bundle', container.bundle, container.id).status, 7)
    },
  ),
  refuses(PROCESS, 'args has at least one entry', process({ args: [] })),
  prints(
    PROCESS,
    'without a terminal, standard input and output are the runtime’s',
    {},
    'test -t 1 && echo tty || echo file',
    ['file'],
  ),
  prints(
    PROCESS,
    'consoleSize is ignored where there is no terminal',
    process({ terminal: false, consoleSize: { height: 25, width: 80 } }),
    'echo runs',
    ['runs'],
  ),
  prints(
    POSIX,
    'rlimits has the soft and the hard value of a limit',
    process({ rlimits: [rlimit('RLIMIT_NOFILE', 100, 200), rlimit('RLIMIT_CORE', 0, 4096)] }),
    'ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc',
    ['100', '200', '0', '8'],
  ),
  refuses(POSIX, 'a limit that the kernel hasn’t is an error', process({ rlimits: [rlimit('RLIMIT_FOO', 1, 1)] })),
  refuses(
    POSIX,
    'a limit that is there twice is an error',
    process({ rlimits: [rlimit('RLIMIT_CORE', 1, 1), rlimit('RLIMIT_CORE', 2, 2)] }),
  ),
  shows(
    LINUX,
    'each of the five sets of capabilities has what is listed for it',
    process({
      capabilities: {
        bounding: [...TWO, 'CAP_FOWNER'],
        permitted: TWO,
        effective: ['CAP_KILL'],
        inheritable: TWO,
        ambient: TWO,
      },
      user: { uid: 1000, gid: 1000 },
    }),
    'grep ^Cap /proc/self/status',
    (output) => {
      const { CapBnd, CapAmb, CapInh, CapPrm } = sets(output)
      assert.equal(CapBnd, capabilitySet([...TWO, 'CAP_FOWNER']))
      assert.deepEqual([CapAmb, CapInh, CapPrm], [capabilitySet(TWO), capabilitySet(TWO), capabilitySet(TWO)])
    },
  ),
  shows(
    LINUX,
    'root has no capability that isn’t listed',
    process({ capabilities: { bounding: TWO, permitted: TWO, effective: TWO } }),
    'grep ^Cap /proc/self/status',
    (output) => {
      const { CapBnd, CapAmb, CapEff, CapPrm } = sets(output)
      assert.deepEqual([CapBnd, CapEff, CapPrm], [capabilitySet(TWO), capabilitySet(TWO), capabilitySet(TWO)])
      assert.equal(CapAmb, 0n)
    },
  ),
  prints(
    LINUX,
    'a capability that the kernel hasn’t is no error',
    process({ capabilities: { bounding: ['CAP_KILL', 'CAP_TELEPORT'] } }),
    'echo runs',
    ['runs'],
  ),
  prints(LINUX, 'noNewPrivileges', process({ noNewPrivileges: true }), 'grep NoNewPrivs /proc/self/status', [
    'NoNewPrivs:\t1',
  ]),
  prints(LINUX, 'without noNewPrivileges', process({ noNewPrivileges: false }), 'grep NoNewPrivs /proc/self/status', [
    'NoNewPrivs:\t0',
  ]),
  prints(LINUX, 'oomScoreAdj', process({ oomScoreAdj: 321 }), 'cat /proc/self/oom_score_adj', ['321']),
  shows(LINUX, 'without oomScoreAdj it is left as it is', {}, 'cat /proc/self/oom_score_adj', (output) => {
    assert.equal(output, readFileSync('/proc/self/oom_score_adj', 'ascii').trim())
  }),
  prints(
    LINUX,
    'ioPriority',
    process({ ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 } }),
    'ionice -p $$',
    ['best-effort: prio 6'],
    { differs: { runc: 'runc 1.1 has none', crun: 'crun 1.8 has none' } },
  ),
  prints(
    LINUX,
    'scheduler',
    process({ scheduler: { policy: 'SCHED_BATCH', nice: 5 } }),
    'cut -d" " -f19,41 /proc/self/stat', // the nice value, and the number of SCHED_BATCH
    ['5 3'],
    { differs: { runc: 'runc 1.1 has none', crun: 'crun 1.8 has none' } },
  ),
  refuses(
    LINUX,
    'a scheduling policy that doesn’t exist is an error',
    process({ scheduler: { policy: 'SCHED_LATER' } }),
    { differs: { runc: 'runc 1.1 has none', crun: 'crun 1.8 takes it' } },
  ),
  prints(
    USER,
    'uid, gid and additionalGids',
    process({ user: { uid: 1001, gid: 1002, additionalGids: [5, 6] } }),
    'grep -E "^(Uid|Gid|Groups)" /proc/self/status | tr "\\t" " " | sed "s/ *$//"',
    ['Uid: 1001 1001 1001 1001', 'Gid: 1002 1002 1002 1002', 'Groups: 5 6'],
  ),
  prints(USER, 'umask', process({ user: { uid: 0, gid: 0, umask: 0o27 } }), 'umask', ['0027']),
  prints('config.md, Hostname', 'hostname', { hostname: 'mrsdalloway' }, 'hostname', ['mrsdalloway']),
  prints(
    'config.md, Domainname',
    'domainname',
    { domainname: 'foobarbaz.test' },
    'cat /proc/sys/kernel/domainname',
    ['foobarbaz.test'],
    { differs: { runc: 'runc 1.1 has none' } },
  ),
  shows('runtime-linux.md, File descriptors', 'only 0, 1 and 2 are open', {}, 'ls /proc/self/fd', (output) => {
    // The fourth is the one by which ls reads the directory.
    assert.deepEqual(output.split('\n'), ['0', '1', '2', '3'])
  }),
]
