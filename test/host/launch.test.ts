// Programs launched with one wall at a time. What root and an ordinary user can do with unshare(1) and nsenter(1) is
// compared in test/cli/unshare.test.ts and enter.test.ts.
import assert from 'node:assert/strict'
import { closeSync, mkdirSync, readFileSync, readlinkSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { launch } from '../../src/engine/launch.ts'
import type { LaunchOptions } from '../../src/engine/launch-options.ts'
import { TareError } from '../../src/linux/error.ts'
import { NO_CAPABILITIES, capabilitySet } from '../../src/linux/capability.ts'
import { readProcessCapabilities } from '../../src/linux/process-capability.ts'
import { readCgroupLayout } from '../../src/linux/cgroup/layout.ts'
import type { NamespaceKind } from '../../src/linux/namespace.ts'
import { NAMESPACE_KINDS, openNamespaceOfPidfd } from '../../src/linux/namespace.ts'
import { openPidfd, sendPidfdSignal } from '../../src/linux/pidfd.ts'
import { lacksRoot } from './child.ts'

const root = { skip: lacksRoot() ?? false }

const sh = async (script: string, options: LaunchOptions = {}): Promise<string> => {
  const { exitCode, signal, stdout, stderr } = await launch(['sh', '-c', script], options)
  assert.equal(exitCode, 0, `${script}: ${signal ?? exitCode}\n${stdout}\n${stderr}`)
  return stdout.trimEnd()
}

const refusal = async (options: LaunchOptions, command: readonly string[] = ['true']): Promise<TareError> => {
  const error: unknown = await launch(command, options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof TareError, String(error))
  return error
}

const inode = (kind: NamespaceKind): string => readlinkSync(`/proc/self/ns/${kind}`)

test('a program without walls has all from the caller but its descriptors', async () => {
  const facts = 'pwd; umask; id -u; readlink /proc/self/ns/net; cut -d" " -f6 /proc/$$/stat; echo $TARE_TEST'
  process.env['TARE_TEST'] = 'passed on'
  const own = [process.cwd(), String(process.umask().toString(8)).padStart(4, '0'), String(process.geteuid?.())]
  const session = readFileSync('/proc/self/stat', 'utf8').split(' ')[5]
  const said = (await sh(facts)).split('\n').map((line) => line.trim())
  assert.deepEqual(said, [...own, inode('net'), session, 'passed on'])
  delete process.env['TARE_TEST']
  // By one process, which opens the directory itself.
  const { stdout } = await launch(['ls', '/proc/self/fd'])
  assert.equal(stdout, '0\n1\n2\n3\n')
})

test('how it ends is its own', async () => {
  for (const fork of [false, true]) {
    assert.equal((await launch(['sh', '-c', 'exit 3'], { fork })).exitCode, 3)
    assert.equal((await launch(['sh', '-c', 'kill -TERM $$'], { fork })).signal, 'SIGTERM')
    assert.equal((await refusal({ fork }, ['no-such-program'])).code, 'ENOENT')
    assert.equal((await refusal({ fork }, ['/etc/passwd'])).syscall, 'execve')
  }
})

test('each kind of namespace alone', root, async () => {
  for (const kind of NAMESPACE_KINDS) {
    const fork = kind === 'pid' || kind === 'time'
    const said = await sh('readlink /proc/self/ns/*', { unshare: { kinds: [kind] }, fork })
    for (const each of NAMESPACE_KINDS) {
      const there = said.split('\n').find((line) => line.startsWith(`${each}:`))
      if (each === kind) assert.notEqual(there, inode(each), each)
      else assert.equal(there, inode(each), each)
    }
  }
})

test('a forked program is PID 1, and proc shows no other', root, async () => {
  const options: LaunchOptions = { unshare: { kinds: ['pid', 'mnt'], mountProc: true }, fork: true }
  assert.equal(await sh('echo $$; cd /proc; echo [0-9]*', options), '1\n1')
})

test('clocks are ahead', root, async () => {
  const options: LaunchOptions = { unshare: { kinds: ['time'], boottime: 1_000_000, monotonic: 7 }, fork: true }
  const ahead = Number((await sh('cat /proc/uptime', options)).split(' ')[0]) - 1_000_000
  const [here] = readFileSync('/proc/uptime', 'utf8').split(' ')
  assert.ok(Math.abs(Number(here) - ahead) < 60)
  assert.equal(await sh('tr -s " " </proc/self/timens_offsets', options), 'monotonic 7 0\nboottime 1000000 0')
})

test('ids of a new user namespace', root, async () => {
  const map = 'id -u; id -g; tr -s " " </proc/self/uid_map; tr -s " " </proc/self/gid_map; cat /proc/self/setgroups'
  const own: LaunchOptions = { unshare: { kinds: ['user'], uids: { own: 7 }, gids: { own: 8 } } }
  assert.equal(await sh(map, own), '7\n8\n 7 0 1\n 8 0 1\ndeny')
  const range = { ranges: [{ inside: 0, outside: 100000, size: 1000 }] }
  const mapped: LaunchOptions = { unshare: { kinds: ['user'], uids: range, gids: range }, uid: 5, gid: 6, groups: [7] }
  assert.equal(await sh(`id -G; ${map}`, mapped), '6 7\n5\n6\n 0 100000 1000\n 0 100000 1000\nallow')
})

test('another root and working directory', root, async () => {
  const there = await launch(['/bin/sh', '-c', 'pwd; echo /*'], { root: '/usr' })
  assert.match(there.stdout, /^\/\n.*\/share/)
  const { stdout } = await launch(['/bin/pwd'], { root: '/', workdir: '/usr' })
  assert.equal(stdout, '/usr\n')
  assert.match((await refusal({ root: '/no/such' })).message, /^cannot make \/no\/such the root: ENOENT/)
  assert.match((await refusal({ workdir: '/no/such' })).message, /^cannot enter \/no\/such: ENOENT/)
})

test('control groups are joined, of both versions', root, async () => {
  // A new group of cpuset has no processors, and takes nobody.
  const hierarchies = readCgroupLayout().hierarchies.filter(({ controllers }) => !controllers.includes('cpuset'))
  const groups = hierarchies.map(({ mountPoint }) => `${mountPoint}/tare-launch-${process.pid}`)
  for (const group of groups) mkdirSync(group)
  try {
    const said = await sh('cat /proc/self/cgroup', { cgroups: groups })
    assert.equal(said.split('\n').filter((line) => line.endsWith(`/tare-launch-${process.pid}`)).length, groups.length)
    assert.match(
      (await refusal({ cgroups: ['/sys/fs/cgroup/no/such'] })).message,
      /^cannot join the control group \/sys/,
    )
  } finally {
    for (const group of groups) rmdirSync(group)
  }
})

const SETS = "sed -n 's/^Cap\\(...\\):\t0*/\\1 /p' /proc/self/status"

test('capabilities, as they are to be', root, async () => {
  const own = readProcessCapabilities()
  const some = capabilitySet(['CAP_NET_RAW', 'CAP_CHOWN'])
  const capabilities = {
    bounding: own.bounding & ~capabilitySet(['CAP_SYS_BOOT']),
    permitted: some,
    effective: some,
    inheritable: some,
    ambient: some,
  }
  const said = await sh(SETS, { uid: 1000, gid: 1000, capabilities })
  const set = some.toString(16)
  assert.equal(said, `Inh ${set}\nPrm ${set}\nEff ${set}\nBnd ${capabilities.bounding.toString(16)}\nAmb ${set}`)
  // What is inheritable may be more than what is in the bounding set: then it was there before that was cut.
  const none = NO_CAPABILITIES
  const bare = { bounding: none, permitted: none, effective: none, inheritable: some, ambient: none }
  assert.equal(await sh(SETS, { uid: 1000, capabilities: bare }), `Inh ${set}\nPrm \nEff \nBnd \nAmb`)
  const error = await refusal({ capabilities: { ...bare, ambient: some } })
  assert.match(error.message, /cannot make ambient CAP_CHOWN, CAP_NET_RAW: what is ambient must be permitted/)
})

test('securebits and the promise to gain no privileges', root, async () => {
  const securebits = ['SECBIT_NOROOT', 'SECBIT_NO_SETUID_FIXUP'] as const
  const said = await sh(`${SETS}; grep NoNewPrivs /proc/self/status`, { securebits, noNewPrivileges: true })
  assert.match(said, /Prm \nEff \n/, 'root has nothing by being root')
  assert.match(said, /NoNewPrivs:\t1/)
})

test('what is permitted in a user namespace outlives the change of user', root, async () => {
  const range = { ranges: [{ inside: 0, outside: 100000, size: 1000 }] }
  const options: LaunchOptions = { unshare: { kinds: ['user'], uids: range, gids: range }, uid: 5 }
  assert.match(await sh(SETS, options), /Eff \n.*\nAmb/)
  assert.match(await sh(SETS, { ...options, keepCapabilities: true }), /Eff 1f[0-9a-f]+\n.*\nAmb 1f[0-9a-f]+$/)
})

test('a step that fails is named, and nothing is left', root, async () => {
  const unshare = { kinds: ['uts'] as const, persistent: { uts: '/no/such/file' } }
  const error = await refusal({ unshare })
  assert.match(error.message, /^cannot keep the new uts namespace at \/no\/such\/file: ENOENT.*\nThe file must exist/)
  const file = `/tmp/tare-launch-${process.pid}`
  writeFileSync(file, '')
  try {
    await refusal({ unshare: { ...unshare, persistent: { uts: file } } }, ['no-such-program'])
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(file))
  } finally {
    rmSync(file)
  }
})

test('it is entered by its process', root, async () => {
  const kinds = NAMESPACE_KINDS
  const program = launch(['sleep', '60'], { unshare: { kinds, uids: { own: 0 }, gids: { own: 0 } }, fork: true })
  for (let round = 0; program.pid === undefined && round < 100; round++) await sleep(10)
  try {
    const target = program.pid ?? 0
    const theirs = NAMESPACE_KINDS.map((kind) => readlinkSync(`/proc/${target}/ns/${kind}`)).toSorted()
    const there = await sh('readlink /proc/$$/ns/*', { enter: { target, kinds: 'all' } }).catch(String)
    // Its /proc is the host's, where the number of the shell is another's: ask for the shell itself.
    const said = await sh('readlink /proc/self/ns/*', { enter: { target, kinds: 'all' } })
    assert.deepEqual([...new Set(said.split('\n'))].toSorted(), theirs, there)
    assert.equal(
      await sh('cat /proc/self/timens_offsets >/dev/null; id -u', { enter: { target, kinds: ['user'] } }),
      '0',
    )
    const pidfd = openPidfd(target)
    assert.match(await sh('readlink /proc/self/ns/net', { enter: { target: { pidfd }, kinds: ['net'] } }), /^net:/)
    const file = openNamespaceOfPidfd(pidfd, 'uts')
    const uts = await sh('readlink /proc/self/ns/uts', { enter: { files: { uts: file } } })
    assert.equal(uts, readlinkSync(`/proc/${target}/ns/uts`))
    assert.ok(sendPidfdSignal(pidfd, 0), "what is the caller's stays open")
    for (const fd of [pidfd, file]) closeSync(fd)
  } finally {
    program.kill('SIGKILL')
    await program
  }
})

test('whom one can not enter', root, async () => {
  assert.match((await refusal({ enter: { target: 4_000_000, kinds: 'all' } })).message, /4000000: ESRCH/)
  const net = { net: '/proc/self/ns/uts' }
  assert.match(
    (await refusal({ enter: { files: net } })).message,
    /^cannot enter the net namespace .*: it is a uts namesp/,
  )
  assert.match((await refusal({ enter: { files: { net: '/etc/passwd' } } })).message, /: it is no namespace/)
  assert.match((await refusal({ enter: { kinds: ['net'] } })).message, /it is not said of which process/)
})
