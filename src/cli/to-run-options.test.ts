import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RunOptions } from '../index.ts'
import { parseArguments } from './options.ts'
import { RUN_OPTIONS } from './run-options.ts'
import type { RunSource, RunValues } from './to-run-options.ts'
import { toRunOptions } from './to-run-options.ts'
import { UsageError } from './usage-error.ts'

const PROFILE = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }] }

const FILES: Readonly<Record<string, string>> = {
  'vars.env': '# comment\nA=file\n\n  B=b=c\r\nCALLER\nABSENT\n',
  'profile.json': JSON.stringify(PROFILE),
  'docker.json': JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', archMap: [{}] }),
  'rules.json': JSON.stringify({ syscalls: [{ names: ['clone'], includes: { caps: ['CAP_SYS_ADMIN'] } }] }),
  'broken.json': '{',
  'list.json': '[]',
}

const source: RunSource = {
  env: { CALLER: 'yes', HOME: '/root' },
  readFile: (path) => {
    const text = Object.hasOwn(FILES, path) ? FILES[path] : undefined
    if (text === undefined) throw new UsageError(`cannot read ${path}`)
    return text
  },
}

const parse = (...argv: readonly string[]): RunValues => {
  const grammar = { options: RUN_OPTIONS, operands: [], stopAtOperand: true }
  const parsed = parseArguments('tare run', grammar, argv)
  assert.equal(parsed.kind, 'run')
  return parsed.options
}

const options = (...argv: readonly string[]): RunOptions => toRunOptions(parse(...argv), source)

const refused = (message: RegExp, ...argv: readonly string[]): void =>
  assert.throws(() => options(...argv), { name: 'UsageError', message })

test('no options are no options', () => {
  assert.deepEqual(options(), {})
  assert.deepEqual(options('--rm'), {})
})

test('what the library takes as text is passed on as it is', () => {
  assert.deepEqual(
    options('--rootfs=host', '--keep=./c', '--root-size=2g', '--read-only', '-w', '/w', '-u', '3:4', '-h', 'box'),
    {
      rootfs: 'host',
      overlay: './c',
      rootSize: '2g',
      readOnly: true,
      workdir: '/w',
      user: '3:4',
      hostname: 'box',
    },
  )
  assert.deepEqual(options('-m64m', '--memory-swap=-1', '--memory-reservation', '32m', '--cpus=.5', '--timeout=5s'), {
    memory: '64m',
    memorySwap: '-1',
    memoryReservation: '32m',
    cpus: '.5',
    timeout: '5s',
  })
  assert.deepEqual(options('--cpuset-cpus=0-1', '--cpuset-mems=0', '-t'), {
    cpusetCpus: '0-1',
    cpusetMems: '0',
    tty: true,
  })
})

test('flags can be taken back', () => {
  assert.deepEqual(options('--no-init', '--overlay'), { init: false, overlay: true })
  assert.deepEqual(options('--init=false', '--overlay=false'), { init: false, overlay: false })
  refused(/^cannot use --keep=x: .*--no-overlay/, '--no-overlay', '--keep=x')
})

test('numbers are numbers', () => {
  assert.deepEqual(options('-c', '512', '--pids-limit=32', '--blkio-weight=100', '--umask=027'), {
    cpuShares: 512,
    pids: 32,
    blkioWeight: 100,
    umask: 0o27,
  })
  assert.deepEqual(options('--pids-limit=-1'), { pids: 0 })
  refused(/^cannot use --pids-limit=many: it is not a whole number$/, '--pids-limit=many')
  refused(/^cannot use --cpu-shares=1.5: /, '--cpu-shares=1.5')
  refused(/^cannot use --umask=9: .*\nWrite it in octal/, '--umask=9')
})

test('variables come from files, from the command line and from the caller, the last one counts', () => {
  // Every object has a constructor, which is no variable.
  assert.deepEqual(options('-e', 'constructor').env, { constructor: undefined })
  assert.deepEqual(options('--env-file=vars.env').env, { A: 'file', B: 'b=c', CALLER: 'yes', ABSENT: undefined })
  assert.deepEqual(options('-e', 'A=line', '--env-file=vars.env', '-e', 'HOME', '-e', 'E=').env, {
    A: 'line',
    B: 'b=c',
    CALLER: 'yes',
    ABSENT: undefined,
    HOME: '/root',
    E: '',
  })
  refused(/^cannot use --env==x: a variable has a name$/, '--env==x')
  refused(/^cannot read none.env/, '--env-file=none.env')
})

test('limits, parameters, groups and devices', () => {
  assert.deepEqual(
    options(
      '--ulimit=nofile=10:20',
      '--ulimit',
      'core=0',
      '--sysctl=net.ipv4.ip_forward=1',
      '--group-add=5',
      '--device=/dev/fuse',
    ),
    {
      ulimits: { nofile: ['10', '20'], core: '0' },
      sysctls: { 'net.ipv4.ip_forward': '1' },
      groups: ['5'],
      devices: ['/dev/fuse'],
    },
  )
  assert.deepEqual(options('--device-read-bps=/dev/a:b:10m', '--device-write-iops=/dev/sda:100'), {
    deviceReadBps: [{ device: '/dev/a:b', rate: '10m' }],
    deviceWriteIops: [{ device: '/dev/sda', rate: '100' }],
  })
  assert.deepEqual(options('--cgroup=memory.high=50m', '--cgroup', 'io.max=8:0 rbps=1'), {
    cgroup: { unified: { 'memory.high': '50m', 'io.max': '8:0 rbps=1' } },
  })
  refused(/^cannot use --ulimit=nofile: it is not NAME=VALUE$/, '--ulimit=nofile')
  refused(/^cannot use --ulimit=nofile=1:2:3: /, '--ulimit=nofile=1:2:3')
  refused(/^cannot use --device-read-bps=\/dev\/sda: /, '--device-read-bps=/dev/sda')
  refused(/^cannot use --cgroup=memory.high: /, '--cgroup=memory.high')
})

test('namespaces', () => {
  assert.deepEqual(options('--net=host', '--userns=auto'), { network: 'host', userns: 'auto' })
  assert.deepEqual(options('--network=none', '--uidmap=0:1000:1', '--uidmap=1:100000:65536', '--gidmap=0:1000'), {
    network: 'none',
    uidMappings: [
      { inside: 0, outside: 1000, size: 1 },
      { inside: 1, outside: 100000, size: 65536 },
    ],
    gidMappings: [{ inside: 0, outside: 1000, size: 1 }],
  })
  refused(/^cannot use both --network and --net/, '--net=host', '--network=host')
  refused(/^cannot use --uidmap=0-5: it is not INSIDE:OUTSIDE\[:SIZE\]/, '--uidmap=0-5')
})

test('privileges', () => {
  assert.deepEqual(options('--cap-add=net_admin,sys_time', '--cap-add', 'CHOWN', '--cap-drop=all'), {
    capAdd: ['net_admin', 'sys_time', 'CHOWN'],
    capDrop: ['all'],
  })
  for (const [text, value] of [
    ['no-new-privileges', true],
    ['no-new-privileges=true', true],
    ['no-new-privileges:false', false],
  ] as const)
    assert.deepEqual(options('--security-opt', text), { noNewPrivileges: value })
  assert.deepEqual(options('--security-opt=seccomp=unconfined'), { seccomp: 'unconfined' })
  assert.deepEqual(options('--security-opt=seccomp=default'), { seccomp: 'default' })
  assert.deepEqual(options('--security-opt=seccomp=profile.json'), { seccomp: PROFILE })
  refused(/^cannot use --security-opt=label=disable: there is no AppArmor or SELinux/, '--security-opt=label=disable')
  refused(/^cannot use --security-opt=nonsense: there is no such option/, '--security-opt=nonsense')
  refused(/^cannot use --security-opt=no-new-privileges=no: /, '--security-opt=no-new-privileges=no')
})

test('a profile whose conditions would be lost is refused', () => {
  refused(/seccomp=docker.json: it is in docker's own form/, '--security-opt=seccomp=docker.json')
  refused(/seccomp=rules.json: it is in docker's own form/, '--security-opt=seccomp=rules.json')
  refused(/seccomp=broken.json: it is not JSON/, '--security-opt=seccomp=broken.json')
  refused(/seccomp=list.json: it is no object/, '--security-opt=seccomp=list.json')
  refused(/^cannot read absent.json/, '--security-opt=seccomp=absent.json')
})

test('what is not there says what to do instead', () => {
  refused(/^cannot use --detach: .*\nLeave it in the background/, '-d')
  refused(/^cannot use --privileged: .*\nName what it needs/, '--privileged')
})

test('mounts come in the order of volumes, mounts and file systems in memory', () => {
  assert.deepEqual(options('--tmpfs=/t', '--mount=source=.,target=/m', '-v', '.:/v:ro').mounts, [
    { source: '.', target: '/v', readOnly: true },
    { type: 'bind', source: '.', target: '/m' },
    { type: 'tmpfs', target: '/t' },
  ])
})

test('all that is given for any variable comes through', () => {
  const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,9}$/)
  fc.assert(
    fc.property(fc.dictionary(name, fc.string()), (env) => {
      const argv = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`])
      assert.deepEqual(options(...argv).env ?? {}, { ...env })
    }),
  )
})

test('whatever is written, the options are understood or refused in words', () => {
  const takesValue = RUN_OPTIONS.flatMap((option) =>
    'argument' in option && !('choices' in option) ? [option.long] : [],
  )
  fc.assert(
    fc.property(fc.constantFrom(...takesValue), fc.string(), (option, value) => {
      try {
        options(`--${option}=${value}`)
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error))
        assert.match(error.message, /^cannot /)
      }
    }),
    { numRuns: 1000 },
  )
})
