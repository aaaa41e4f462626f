// The OCI runtime's verbs, and the life of a container between them.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { waitid } from '../../src/linux/wait.ts'
import { expectNothingLeft, reapOrphans } from './leaks.ts'
import type { Config, OciCall } from './oci-bundle.ts'
import { makeBundle, OCI, OCI_NEEDS, ociCaller } from './oci-bundle.ts'

const skip = OCI_NEEDS
const { nothingLeft, scratch } = await expectNothingLeft()

interface Scene {
  readonly directory: string
  readonly oci: (...args: readonly string[]) => OciCall
  readonly bundle: (args: readonly string[], change?: (config: Config) => void) => string
  readonly status: (id: string) => unknown
}

const scene = (t: TestContext): Scene => {
  nothingLeft(t)
  const directory = scratch()
  const root = join(directory, 'state')
  const oci = ociCaller(root)
  return {
    directory,
    oci,
    bundle: (args, change) => makeBundle(directory, args, change),
    status: (id) => {
      const { status, stdout } = oci('state', id)
      if (status !== 0) return undefined
      const state: { status: string } = JSON.parse(stdout)
      return state.status
    },
  }
}

const until = async (done: () => boolean): Promise<void> => {
  for (const begin = performance.now(); !done(); await sleep(5))
    assert.ok(performance.now() - begin < 10_000, 'it takes too long')
}

const pidIn = (file: string): number => Number(readFileSync(file, 'utf8'))

test('create, start, state, kill, delete', { skip }, async (t) => {
  const { directory, oci, bundle, status } = scene(t)
  const pidFile = join(directory, 'pid')
  bundle(['sh', '-c', 'echo $$ >/out; sleep 1000 & wait'])
  assert.deepEqual(oci('create', '--bundle', directory, '--pid-file', pidFile, 'box'), {
    status: 0,
    stdout: '',
    stderr: '',
  })
  const pid = pidIn(pidFile)
  assert.equal(status('box'), 'created')
  assert.equal(existsSync(join(directory, 'rootfs/out')), false, 'nothing of the program has run')
  const { ociVersion, bundle: where, pid: told } = JSON.parse(oci('state', 'box').stdout)
  assert.deepEqual([ociVersion, where, told], ['1.0.2', directory, pid])
  assert.match(oci('create', '--bundle', directory, 'box').stderr, /a container with this id exists already/)
  assert.equal(oci('start', 'box').status, 0)
  await until(() => existsSync(join(directory, 'rootfs/out')))
  assert.equal(readFileSync(join(directory, 'rootfs/out'), 'utf8'), '1\n', 'the program is PID 1')
  assert.equal(status('box'), 'running')
  assert.match(oci('start', 'box').stderr, /cannot start container box: it is running/)
  assert.match(oci('delete', 'box').stderr, /cannot delete container box: it is running/)
  assert.equal(oci('list', '-q').stdout, 'box\n')
  assert.equal(JSON.parse(oci('ps', '--format', 'json', 'box').stdout).length, 2)
  assert.equal(oci('kill', 'box', '9').status, 0)
  await until(() => status('box') === 'stopped')
  assert.equal(waitid({ pid })?.status.kind, 'killed', 'it is a child of whoever adopts orphans')
  assert.match(oci('kill', 'box', 'TERM').stderr, /container not running/)
  assert.deepEqual(oci('delete', 'box'), { status: 0, stdout: '', stderr: '' })
  assert.match(oci('state', 'box').stderr, /does not exist/)
  assert.equal(oci('delete', 'box').status, 1)
  assert.equal(oci('delete', '--force', 'box').status, 0)
})

test('run tells how the program ended, and leaves nothing', { skip }, (t) => {
  const { directory, oci, bundle } = scene(t)
  bundle(['sh', '-c', 'echo out; echo err >&2; exit 3'])
  assert.deepEqual(oci('run', '--bundle', directory, 'box'), { status: 3, stdout: 'out\n', stderr: 'err\n' })
  bundle(['sh', '-c', 'pwd; env'], ({ process }) => Object.assign(process, { cwd: '/made/for/it' }))
  const { stdout } = oci('run', '--bundle', directory, 'box')
  assert.match(stdout, /^\/made\/for\/it\n/)
  assert.match(stdout, /^HOME=\/$/m)
  assert.equal(oci('list', '--format', 'json').stdout, '[]\n')
})

test('a container that is paused, running or only created is deleted by force', { skip }, async (t) => {
  const { directory, oci, bundle, status } = scene(t)
  bundle(['sleep', '1000'])
  for (const steps of [[], ['start'], ['start', 'pause']]) {
    assert.equal(oci('create', '--bundle', directory, 'box').status, 0)
    for (const step of steps) assert.equal(oci(step, 'box').status, 0)
    assert.equal(status('box'), steps.at(-1) === 'pause' ? 'paused' : steps.length > 0 ? 'running' : 'created')
    assert.equal(oci('delete', '--force', 'box').status, 0)
    assert.equal(status('box'), undefined)
    assert.equal(reapOrphans(), 1)
  }
  assert.equal(oci('create', '--bundle', directory, 'box').status, 0)
  for (const step of ['start', 'pause', 'resume']) assert.equal(oci(step, 'box').status, 0)
  assert.equal(status('box'), 'running')
  assert.equal(oci('pause', 'box').status, 0)
  assert.equal(oci('kill', '--all', 'box', 'KILL').status, 0)
  await until(() => status('box') === 'stopped')
  assert.equal(oci('delete', 'box').status, 0)
  reapOrphans()
})

test('what can not be run is told when it is created, or started', { skip }, async (t) => {
  const { directory, oci, bundle, status } = scene(t)
  const log = join(directory, 'log')
  bundle(['missing'])
  const missing = oci('--log', log, '--log-format', 'json', 'create', '--bundle', directory, 'box')
  assert.equal(missing.status, 1)
  assert.match(missing.stderr, /^tare: cannot find missing in \/bin: ENOENT \(no such file or directory\)\n/)
  const line: { level: string; msg: string } = JSON.parse(readFileSync(log, 'utf8'))
  assert.equal(line.level, 'error')
  assert.match(line.msg, /cannot find missing in \/bin: ENOENT \(no such file or directory\)\. Give its path/)
  bundle(['/etc'])
  assert.match(oci('create', '--bundle', directory, 'box').stderr, /cannot run \/etc: ENOENT/)
  const escape = oci('create', '--bundle', `${directory}/\x1b[31m`, 'box').stderr
  assert.match(escape, /^tare: cannot \P{Cc}+: ENOENT \P{Cc}+\n/u, 'nothing in it controls the terminal')
  bundle(['/noexec'])
  writeFileSync(join(directory, 'rootfs/noexec'), 'neither a program nor a script', { mode: 0o755 })
  assert.equal(oci('create', '--bundle', directory, 'box').status, 0)
  const refused = oci('start', 'box')
  assert.equal(refused.status, 1)
  assert.match(refused.stderr, /^tare: cannot run \/noexec: ENOEXEC/)
  await until(() => status('box') === 'stopped')
  assert.equal(oci('delete', 'box').status, 0)
  reapOrphans()
})

test('what can not be had and hinders nothing is warned of', { skip }, (t) => {
  const { directory, oci, bundle } = scene(t)
  const log = join(directory, 'log')
  const warnings = (): readonly string[] => {
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    writeFileSync(log, '')
    return lines.map((line) => {
      const { level, msg }: Record<string, string> = JSON.parse(line)
      return `${level}: ${msg}`
    })
  }
  const call = (...args: readonly string[]) => oci('--log', log, '--log-format', 'json', ...args)
  const granted = 'warning: cannot grant CAP_MAGIC: this kernel has no such capability'
  const limits = [
    'warning: cannot set linux.resources.memory.kernel: Linux has no such limit since 5.4. It is left out.',
    'warning: cannot set linux.resources.memory.useHierarchy: Linux always accounts hierarchically since 5.11. It is left out.',
  ]
  const resources = { memory: { kernel: 1_000_000, useHierarchy: false } }
  bundle(['sleep', '1000'], ({ process, linux }) => {
    process['capabilities'] = { bounding: ['CAP_MAGIC', 'CAP_KILL'], permitted: ['CAP_MAGIC'] }
    linux['resources'] = resources
  })
  assert.equal(call('create', '--bundle', directory, 'box').status, 0)
  assert.deepEqual(warnings(), [granted, ...limits])
  assert.equal(call('start', 'box').status, 0)
  assert.equal(call('exec', 'box', 'true').status, 0)
  assert.deepEqual(warnings(), [granted])
  writeFileSync(join(directory, 'resources'), JSON.stringify(resources))
  assert.equal(call('update', '--resources', join(directory, 'resources'), 'box').status, 0)
  assert.deepEqual(warnings(), limits)
  assert.equal(oci('delete', '--force', 'box').status, 0)
  reapOrphans()
})

test('hooks run in their order and place, with the state', { skip }, (t) => {
  const { directory, oci, bundle } = scene(t)
  const log = join(directory, 'hooks')
  const host = (name: string) => [{ path: '/bin/sh', args: ['sh', '-c', `echo ${name} $(hostname) $(cat) >>${log}`] }]
  writeFileSync(log, '')
  bundle(['sh', '-c', 'echo program >>/hooks'], (config) => {
    config.mounts.push({ destination: '/hooks', type: 'bind', source: log, options: ['bind'] })
    config.hooks = {
      prestart: host('prestart'),
      createRuntime: host('createRuntime'),
      createContainer: host('createContainer'),
      startContainer: [
        { path: '/bin/sh', args: ['sh', '-c', `echo startContainer $(hostname) $(cat) >>/hooks`], env: ['PATH=/bin'] },
      ],
      poststart: host('poststart'),
      poststop: host('poststop'),
    }
  })
  assert.deepEqual(oci('create', '--bundle', directory, 'box'), { status: 0, stdout: '', stderr: '' })
  assert.deepEqual(oci('start', 'box'), { status: 0, stdout: '', stderr: '' })
  oci('kill', 'box', 'KILL')
  assert.deepEqual(oci('delete', '--force', 'box'), { status: 0, stdout: '', stderr: '' })
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  const here = readFileSync('/proc/sys/kernel/hostname', 'utf8').trim()
  const told = lines.map((line) => {
    const [, name = '', where = '', state] = /^(\S+)(?: (\S+) (\{.*\}))?$/.exec(line) ?? []
    const { status, id, bundle: path }: Record<string, string> = JSON.parse(state ?? '{}')
    return [name, where, status, id, path]
  })
  const line = (name: string, where: string, status: string) => [name, where, status, 'box', directory]
  const expected = [
    line('prestart', here, 'creating'),
    line('createRuntime', here, 'creating'),
    line('createContainer', here, 'creating'),
    line('startContainer', 'box', 'created'),
    ['program', '', undefined, undefined, undefined],
    line('poststart', here, 'running'),
    line('poststop', here, 'stopped'),
  ]
  const byName = (a: (string | undefined)[], b: (string | undefined)[]) => ((a[0] ?? '') < (b[0] ?? '') ? -1 : 1)
  // The program and the hook that runs once it has started write at the same time.
  assert.deepEqual(
    [...told.slice(0, 4), ...told.slice(4, 6).toSorted(byName), ...told.slice(6)],
    [...expected.slice(0, 4), ...expected.slice(4, 6).toSorted(byName), ...expected.slice(6)],
  )
  reapOrphans()
})

test('a hook that fails or takes too long ends the container', { skip }, async (t) => {
  const { directory, oci, bundle, status } = scene(t)
  const failing = [{ path: '/bin/sh', args: ['sh', '-c', 'echo because >&2; exit 3'] }]
  const slow = [{ path: '/bin/sleep', args: ['sleep', '1000'], timeout: 1 }]
  for (const [hooks, words] of [
    [{ createRuntime: failing }, /cannot run the createRuntime hook \/bin\/sh: it ended with status 3: because/],
    [{ prestart: slow }, /cannot run the prestart hook \/bin\/sleep: ETIMEDOUT/],
    [{ createContainer: failing }, /cannot complete the createContainer hook \/bin\/sh: ECANCELED/],
    [{ createContainer: slow }, /cannot run the createContainer hook \/bin\/sleep within 1 s: ETIMEDOUT/],
    [{ createContainer: [{ path: '/missing' }] }, /cannot run the hook \/missing: ENOENT/],
  ] as const) {
    bundle(['true'], (config) => Object.assign(config.hooks, hooks))
    const { status: exit, stderr } = oci('create', '--bundle', directory, 'box')
    assert.equal(exit, 1)
    assert.match(stderr, words)
    assert.equal(status('box'), undefined)
  }
  bundle(['true'], (config) => Object.assign(config.hooks, { startContainer: failing }))
  assert.equal(oci('create', '--bundle', directory, 'box').status, 0)
  assert.match(oci('start', 'box').stderr, /cannot complete the startContainer hook \/bin\/sh: ECANCELED/)
  await until(() => status('box') === 'stopped')
  assert.equal(oci('delete', 'box').status, 0)
  reapOrphans()
})

test('a container joins the namespaces of another', { skip }, (t) => {
  const { directory, oci, bundle } = scene(t)
  const pidFile = join(directory, 'pid')
  bundle(['sleep', '1000'])
  assert.equal(oci('create', '--bundle', directory, '--pid-file', pidFile, 'first').status, 0)
  assert.equal(oci('start', 'first').status, 0)
  const pid = pidIn(pidFile)
  const kinds = { pid: 'pid', net: 'network', ipc: 'ipc', uts: 'uts', cgroup: 'cgroup' } as const
  const names = Object.keys(kinds)
  bundle(['sh', '-c', `for i in ${names.join(' ')}; do readlink /proc/self/ns/$i; done; echo $$`], (config) => {
    config.hostname = ''
    config.linux.namespaces = [
      { type: 'mount' },
      ...Object.entries(kinds).map(([name, type]) => ({ type, path: `/proc/${pid}/ns/${name}` })),
    ]
  })
  const { stdout, stderr } = oci('run', '--bundle', directory, 'second')
  assert.equal(stderr, '')
  const [own, ...rest] = stdout.trim().split('\n').toReversed()
  assert.notEqual(own, '1', 'PID 1 is the other’s')
  assert.deepEqual(
    rest.toReversed(),
    names.map((name) => readlinkSync(`/proc/${pid}/ns/${name}`)),
  )
  assert.equal(oci('delete', '--force', 'first').status, 0)
  reapOrphans()
})

test('a container has ids of its own', { skip }, (t) => {
  const { directory, oci, bundle } = scene(t)
  bundle(
    ['sh', '-c', 'id -u; cat /proc/self/uid_map; ls -ln /dev/null; echo x >/dev/null && echo writable'],
    (config) => {
      config.linux.namespaces.push({ type: 'user' })
      for (const kind of ['uidMappings', 'gidMappings'])
        config.linux[kind] = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
    },
  )
  // The root file system is the container's root's, as engines make it: else nothing could be made in it to mount on.
  chownSync(join(directory, 'rootfs'), 100_000, 100_000)
  const { status, stdout, stderr } = oci('run', '--bundle', directory, 'box')
  assert.equal(stderr, '')
  assert.equal(status, 0)
  assert.match(stdout, /^0\n +0 +100000 +65536\ncrw-rw-rw- .* 1, +3 .*\nwritable\n$/)
})

test('the terminal goes to whoever waits at the console socket', { skip }, async (t) => {
  const { directory, oci, bundle } = scene(t)
  const socket = join(directory, 'console')
  bundle(['sh', '-c', 'tty; ls -l /dev/console'], ({ process }) =>
    Object.assign(process, { terminal: true, consoleSize: { width: 91, height: 31 } }),
  )
  assert.match(oci('create', '--bundle', directory, 'box').stderr, /nobody takes its other side/)
  const server = createServer()
  const said = new Promise<Buffer>((resolve) => {
    server.on('connection', (connection) => connection.on('data', resolve))
  })
  server.listen(socket)
  await once(server, 'listening')
  assert.deepEqual(oci('create', '--bundle', directory, '--console-socket', socket, 'box').stderr, '')
  // The kernel takes the connection in; only now, when the call has returned, the server does.
  assert.equal((await said).length, 1)
  server.close()
  assert.equal(oci('delete', '--force', 'box').status, 0)
  reapOrphans()
})

test('descriptors are passed on as asked for, and no others', { skip }, (t) => {
  const { directory, bundle } = scene(t)
  bundle(['sh', '-c', 'ls /proc/self/fd; cat <&3'])
  const script = 'exec 3<"$1" 4<"$1" 5<"$1"; shift; exec "$@"'
  const call = [OCI, '--root', join(directory, 'state'), 'run', '--preserve-fds', '2', '-b', directory, 'box']
  writeFileSync(join(directory, 'text'), 'passed\n')
  const { stdout, stderr } = spawnSync('/bin/sh', ['-c', script, 'sh', join(directory, 'text'), ...call], {
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  // 5 is that of ls itself.
  assert.equal(stdout, '0\n1\n2\n3\n4\n5\npassed\n')
})

test('what was left half made is deleted by force', { skip }, async (t) => {
  const { directory, oci, bundle, status } = scene(t)
  const mark = join(directory, 'mark')
  bundle(['true'], (config) =>
    Object.assign(config.hooks, {
      createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `echo >${mark}; exec sleep 1000`] }],
    }),
  )
  const child = spawn(OCI, ['--root', join(directory, 'state'), 'create', '-b', directory, 'box'], {
    stdio: 'ignore',
  })
  await until(() => existsSync(mark))
  assert.equal(status('box'), 'creating')
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(oci('delete', '--force', 'box').status, 0)
  assert.deepEqual(readdirSync(join(directory, 'state')), [])
  // The hook itself is nobody's but the host's.
  for (const pid of readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' '))
    if (pid !== '') process.kill(Number(pid), 'SIGKILL')
  await until(() => reapOrphans() === 0)
})

test('exec runs one more program, as the container’s own or as told', { skip }, async (t) => {
  const { directory, oci, bundle } = scene(t)
  const [pidFile, processFile] = [join(directory, 'pid'), join(directory, 'process.json')]
  bundle(['sleep', '1000'], ({ process }) => Object.assign(process, { env: ['PATH=/bin', 'OWN=1'] }))
  assert.equal(oci('create', '--bundle', directory, '--pid-file', pidFile, 'box').status, 0)
  assert.equal(oci('start', 'box').status, 0)
  const first = pidIn(pidFile)
  const kinds = ['pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt']
  const looks = `for i in ${kinds.join(' ')}; do readlink /proc/self/ns/$i; done; id -u; echo $OWN $MORE; exit 7`
  const { status, stdout, stderr } = oci('exec', '--env', 'MORE=2', '--user', '5:6', 'box', 'sh', '-c', looks)
  assert.equal(stderr, '')
  assert.equal(status, 7)
  assert.deepEqual(stdout.trim().split('\n'), [
    ...kinds.map((kind) => readlinkSync(`/proc/${first}/ns/${kind}`)),
    '5',
    '1 2',
  ])
  writeFileSync(
    processFile,
    JSON.stringify({ user: { uid: 0, gid: 0 }, cwd: '/bin', env: ['PATH=/bin'], args: ['sleep', '1000'] }),
  )
  const more = join(directory, 'more')
  assert.equal(oci('exec', '--process', processFile, '--detach', '--pid-file', more, 'box').status, 0)
  const pid = pidIn(more)
  assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/bin')
  assert.equal(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), readFileSync(`/proc/${first}/cgroup`, 'utf8'))
  assert.deepEqual(JSON.parse(oci('ps', '--format', 'json', 'box').stdout).toSorted(), [first, pid].toSorted())
  const missing = oci('exec', 'box', 'missing')
  assert.equal(missing.status, 255)
  assert.match(missing.stderr, /cannot find missing in \/bin: ENOENT/)
  // PID 1 ends only when its namespace is empty: somebody must take note of the end of the other, and that is us.
  process.kill(pid, 'SIGKILL')
  await until(() => reapOrphans() === 1)
  assert.equal(oci('delete', '--force', 'box').status, 0)
  await until(() => reapOrphans() === 0)
  assert.match(oci('exec', 'box', 'true').stderr, /does not exist/)
})
