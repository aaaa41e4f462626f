// `tare unshare` beside unshare(1): the same options make the same difference.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FACTS, normalize } from './namespace-facts.ts'
import type { CallOptions } from './tare.ts'
import { isRoot, NO_CONTAINERS, NOBODY, NODE_ARGS, PROGRAM, startTare, tare } from './tare.ts'

const UNSHARE = '/usr/bin/unshare'
const root = { skip: isRoot ? false : 'needs root' }
const user = { skip: NO_CONTAINERS }
const asUser: CallOptions = isRoot ? { as: NOBODY, cwd: '/' } : { cwd: '/' }

const scratch = mkdtempSync(join(tmpdir(), 'tare-unshare-'))
after(() => rmSync(scratch, { recursive: true }))

interface Answer {
  readonly status: number | null
  readonly facts: readonly string[]
  readonly stderr: string
}

const theirs = (args: readonly string[], { as, cwd }: CallOptions): Answer => {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/tmp' }
  const { status, stdout, stderr } = spawnSync(UNSHARE, [...args, 'sh', '-c', FACTS], {
    encoding: 'utf8',
    cwd,
    env,
    ...as,
  })
  return { status, facts: normalize(stdout), stderr }
}

const ours = (args: readonly string[], options: CallOptions): Answer => {
  const { status, stdout, stderr } = tare(['unshare', ...args, 'sh', '-c', FACTS], options)
  return { status, facts: normalize(stdout), stderr }
}

const compare = (line: string, options: CallOptions): void => {
  const args = line.split(' ')
  const [mine, other] = [ours(args, options), theirs(args, options)]
  assert.deepEqual(mine.facts, other.facts, `${line}\n${mine.stderr}${other.stderr}`)
  assert.equal(mine.status, other.status, `${line}\n${mine.stderr}${other.stderr}`)
}

const AS_ROOT: readonly string[] = [
  '-m',
  '-u',
  '-i',
  '-n',
  '-p',
  '-U',
  '-C',
  '-T',
  '-muinpCT',
  '-p -f',
  '-f -p --mount-proc',
  '-p --kill-child --mount-proc=/proc',
  '-r',
  '-c',
  '-r -m -n',
  '--map-user=5 --map-group=6',
  '--map-user=nobody',
  '-U --setgroups=deny',
  '-m --propagation=shared',
  '-m --propagation=slave',
  '-m --propagation=unchanged',
  '-R /usr',
  '-m -R /usr -w /share',
  '-w /tmp',
  '-S 1000 -G 1000',
  '-c --keep-caps',
  '-T --boottime=1000000 -f',
  '-T --monotonic=-5 --boottime=3',
]

test('as root the same options give the same facts', { ...root, timeout: 120_000 }, () => {
  for (const line of AS_ROOT) compare(line, { cwd: '/' })
})

const AS_USER: readonly string[] = [
  '-U',
  '-r',
  '-c',
  '-r -n -u',
  '-r -m',
  '-r -p -f --mount-proc',
  '-c --keep-caps',
  '-r -T -f --boottime=1000000',
  '-r -C -i',
]

test('as an ordinary user the same options give the same facts', { ...user, timeout: 120_000 }, () => {
  for (const line of AS_USER) compare(line, asUser)
})

/** In a mount namespace in which nobody has subordinate ids: what a shell script prints there as that user. */
const withSubids = (script: string): string => {
  const file = join(scratch, 'subids')
  writeFileSync(file, 'nobody:200000:65536\n')
  const mounts = `mount --bind ${file} /etc/subuid && mount --bind ${file} /etc/subgid`
  const words = [
    '-m',
    'sh',
    '-c',
    `${mounts} && exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$0"`,
    script,
  ]
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp', TARE: [PROGRAM, ...NODE_ARGS].join(' ') }
  const { stdout, stderr, status } = spawnSync(UNSHARE, words, { encoding: 'utf8', cwd: '/', env })
  assert.equal(status, 0, `${script}: ${stderr}`)
  return stdout
}

const SUBIDS = {
  skip: !isRoot
    ? 'needs root, to give a user subordinate ids'
    : existsSync('/usr/bin/newuidmap')
      ? false
      : 'needs newuidmap',
}

test('subordinate ids are mapped, and make room for your own', SUBIDS, () => {
  const map = "sh -c 'id -u; cat /proc/self/uid_map /proc/self/gid_map'"
  for (const line of [
    '--map-auto',
    '-r --map-auto',
    '-c --map-auto',
    '--map-users=auto --map-group=7',
    '--map-user=10 --map-users=auto',
  ]) {
    const mine = withSubids(`$TARE unshare ${line} ${map}`)
    assert.equal(mine, withSubids(`${UNSHARE} ${line} ${map}`), line)
  }
  const same = withSubids(`$TARE unshare --map-subids -c ${map}`)
  assert.deepEqual(
    same
      .split('\n')
      .map((line) => line.trim().split(/\s+/).join(' '))
      .slice(1, 3),
    ['65534 65534 1', '200000 200000 65536'],
  )
  const given = withSubids(`$TARE unshare --map-users=0:200000:10 --map-users=20:200010:5 ${map}`)
  assert.match(given, /\s+0\s+200000\s+10\n\s+20\s+200010\s+5\n/)
})

test("root maps ranges without anybody's help", root, () => {
  const ranges = ['--map-users=0:100000:1000', '--map-groups=100000,0,1000', '--setuid=5', '--setgid=6']
  const { facts } = ours(ranges, { cwd: '/' })
  const said = facts.filter((line) => line.startsWith('user ') || line.startsWith('maps'))
  assert.deepEqual(said, ['user other', 'user 5 group 6 groups 6', 'maps 0 100000 1000 | 0 100000 1000 | allow'])
  const beside = ours(['-r', ...ranges.slice(0, 2)], { cwd: '/' }).facts.find((line) => line.startsWith('maps'))
  assert.equal(beside, 'maps 0 0 1 1 100000 999 | 0 0 1 1 100000 999 | allow')
})

test('all ids of the namespace around it are mapped as themselves', root, () => {
  const { stdout } = tare(['unshare', '--map-users=all', '--map-groups=all', '-n', 'cat', '/proc/self/uid_map'])
  assert.equal(stdout.trim().split(/\s+/).join(' '), '0 0 4294967295')
})

test('a namespace with a file stays until it is unmounted', root, () => {
  const file = join(scratch, 'kept')
  writeFileSync(file, '')
  const kept = ['uts', 'net', 'ipc', 'cgroup', 'user', 'time'] as const
  for (const kind of kept) {
    const words = [`--${kind}=${file}`, 'readlink', `/proc/self/ns/${kind}`]
    const { status, stdout, stderr } = tare(['unshare', '-f', ...(kind === 'user' ? ['-r'] : []), ...words])
    try {
      assert.equal(status, 0, stderr)
      assert.equal(spawnSync('nsenter', words, { encoding: 'utf8' }).stdout, stdout, kind)
      assert.equal(tare(['enter', ...words]).stdout, stdout, kind)
    } finally {
      assert.equal(spawnSync('umount', [file]).status, 0)
    }
  }
  assert.equal(readFileSync(file, 'utf8'), '')
  const shared = tare(['unshare', `--mount=${file}.missing`, 'true'])
  assert.equal(shared.status, 125)
  assert.match(shared.stderr, /cannot keep the new mnt namespace at .*missing: ENOENT.*\nThe file must exist: "touch/)
})

test('a pid namespace and a mount namespace stay too', root, () => {
  const script = `
    mount -t tmpfs none ${scratch}; cd ${scratch}; mount --make-private .; touch mnt pid
    "$@" unshare --mount=${scratch}/mnt sh -c 'mount -t tmpfs inner /mnt'
    "$@" enter --mount=${scratch}/mnt grep -c 'inner /mnt' /proc/self/mounts
    umount mnt
    "$@" unshare --fork --pid=${scratch}/pid true; echo $?; umount pid
    "$@" unshare --pid=${scratch}/pid true; echo $?
  `
  // On one processor: of two, Linux 6.18 may take the newer mount namespace for the older one, and refuse to mount it.
  const words = ['-c', '0', UNSHARE, '-m', 'sh', '-c', script, 'sh', PROGRAM, ...NODE_ARGS]
  const { stdout, stderr } = spawnSync('taskset', words, { encoding: 'utf8' })
  assert.equal(stdout, '1\n0\n125\n', stderr)
  assert.match(stderr, /cannot keep the new pid namespace at .*: no process would be born into it\n.*--fork/)
})

const waitFor = async (what: string, condition: () => boolean): Promise<void> => {
  for (let round = 0; round < 400; round++) {
    if (condition()) return
    await sleep(25)
  }
  assert.fail(`${what} was waited for in vain`)
}

const isAlive = (pid: number): boolean => {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Starts a program that says its id, as the host has it, kills tare, and resolves with that id. */
const killed = async (options: readonly string[]): Promise<number> => {
  const child = startTare(
    ['unshare', ...options, 'sh', '-c', 'readlink /proc/self | grep -q . ; echo ready; exec sleep 60'],
    ['ignore', 'pipe', 'inherit'],
  )
  child.stdout?.setEncoding('utf8')
  await once(child.stdout ?? child, 'data')
  const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'ascii').trim().split(' ').at(-1))
  assert.ok(isAlive(pid))
  child.kill('SIGKILL')
  await once(child, 'exit')
  return pid
}

test('killed, tare takes along what it has become, and a child with --kill-child', user, async () => {
  for (const options of [['-r'], ['-r', '-p', '--kill-child'], ['-r', '--kill-child=TERM']]) {
    const pid = await killed(options)
    await waitFor(`the end of the program (${options.join(' ')})`, () => !isAlive(pid))
  }
  const pid = await killed(['-r', '--fork'])
  try {
    await sleep(100)
    assert.ok(isAlive(pid), 'a child goes on, as with unshare(1)')
  } finally {
    process.kill(pid, 'SIGKILL')
  }
})

test('without a program there is a shell that has logged in', user, () => {
  const options: CallOptions = { ...asUser, env: { SHELL: '/bin/sh' }, input: 'echo $0; readlink /proc/$$/ns/user\n' }
  const [name, namespace] = tare(['unshare', '-r'], options).stdout.split('\n')
  assert.equal(name, '-sh')
  assert.notEqual(namespace, readlinkSync('/proc/self/ns/user'))
})

test('an environment can be left out', () => {
  const { stdout } = tare(['unshare', '--clear-env', 'env'], { env: { SECRET: 'x' } })
  assert.equal(stdout, '')
  const some = tare(['unshare', '--whitelist-env=KEPT,NONE,PATH', 'env'], { env: { SECRET: 'x', KEPT: 'y' } })
  assert.deepEqual(some.stdout.replace(/PATH=.*\n/, ''), 'KEPT=y\n')
})

test('root makes a user namespace for somebody else, who may enter it', root, async () => {
  const child = startTare(
    [
      'unshare',
      '--owner=65534:65534',
      '--map-users=0:65534:1',
      '--map-groups=0:65534:1',
      '-n',
      'sh',
      '-c',
      'id -u; exec sleep 60',
    ],
    ['ignore', 'pipe', 'inherit'],
  )
  const [said]: unknown[] = await once(child.stdout ?? child, 'data')
  const pid = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'ascii').trim()
  const { stdout, stderr } = tare(['enter', '-t', pid, '-U', '-n', 'readlink', '/proc/self/ns/net'], asUser)
  const net = readlinkSync(`/proc/${pid}/ns/net`)
  child.kill('SIGTERM')
  assert.deepEqual([String(said), stdout.trim()], ['0\n', net], stderr)
  await once(child, 'exit')
  assert.match(
    tare(['unshare', '--owner=1:1', 'true'], asUser).stderr,
    /^tare: cannot become the owner, 1:1: EPERM.*\nIt takes CAP_SETUID/,
  )
})

test('what can not be done is told in one error', user, () => {
  const cases: readonly (readonly [args: string, said: RegExp, options?: CallOptions])[] = [
    [
      '-m true',
      /^tare: cannot make new namespaces: mnt: EPERM.*\nEvery kind but user takes CAP_SYS_ADMIN: be root, or/,
      asUser,
    ],
    ['--map-auto true', /^tare: cannot map uids: nobody has no range in \/etc\/subuid\nGive it one/, asUser],
    [
      '--map-users=0:5:1 true',
      /^tare: cannot map the ids of the new user namespace: newuidmap: .*\nThe ranges must be/,
      asUser,
    ],
    ['--map-users=0:0 true', /^tare: cannot use --map-users=0:0: it is no range of ids\n/],
    ['--map-users=0:5:0 true', /^tare: cannot map ids: the mapping of 0 has the size 0$/m],
    [
      '--map-users=0:5:10 --map-users=5:50:10 true',
      /^tare: cannot map ids: 5 to 14 inside of the namespace is mapped twice/,
    ],
    ['-r -c true', /^tare: cannot map your user id to 0 and \d+: it is one of them\n/],
    ['-r --setgroups=allow true', /^tare: cannot allow setgroups: only the own group is mapped/],
    ['--setgroups=deny true', /^tare: cannot use --setgroups: there is no new user namespace\nGive --user too\.$/m],
    ['--boottime=5 true', /^tare: cannot use --boottime: there is no new time namespace\nGive --time too\.$/m],
    ['-T --boottime=soon true', /^tare: cannot use --boottime=soon: it is no whole number\n/],
    [
      '-rT --boottime=-99999999999 true',
      /^tare: cannot set the boottime clock -99999999999 seconds ahead: ERANGE/,
      asUser,
    ],
    ['--kill-child=NONE true', /^tare: cannot use signal NONE: there is none of that name\n/],
    ['-r --map-user=no-such-name true', /^tare: cannot map your user id to 0 and no-such-name/],
    ['--map-user=no-such-name true', /^tare: cannot use user no-such-name: the root has no user of that name\n/],
    ['--owner=me true', /^tare: cannot use --owner=me: it is no user and group\nWrite UID:GID\.$/m],
    ['--net= true', /^tare: cannot use --net=: the file is missing\n/],
    ['-r -R /no/such true', /^tare: cannot make \/no\/such the root: ENOENT.*\nThe directory must exist\.$/m, asUser],
    ['-r -w /no/such true', /^tare: cannot enter \/no\/such: ENOENT/, asUser],
    ['-U --setuid=x true', /^tare: cannot use --setuid=x: it is no whole number from 0/],
    ['--frok true', /^tare: cannot use --frok of tare unshare: there is no such option\nDid you mean --fork\?/],
  ]
  for (const [args, said, options] of cases) {
    const { status, stdout, stderr } = tare(['unshare', ...args.split(' ')], options)
    assert.deepEqual([status, stdout], [125, ''], `${args}: ${stderr}`)
    assert.match(stderr, said, args)
    assert.ok(stderr.trim().split('\n').length <= 2, stderr)
  }
})

test('binfmt_misc is refused by name where the kernel has it not for user namespaces', user, () => {
  const { status, stderr } = tare(['unshare', '-r', '--load-interp=:tare:E::tare::/bin/true:', 'true'], asUser)
  const has = /binfmt_misc/.test(readFileSync('/proc/filesystems', 'utf8'))
  if (has) assert.equal(status, 0, stderr)
  else {
    assert.equal(status, 125)
    assert.match(stderr, /^tare: cannot mount binfmt_misc at \/proc\/sys\/fs\/binfmt_misc: (?:ENODEV|ENOENT)/)
  }
})

test('an interrupted tare ends as the program did', user, async () => {
  const child = spawn(PROGRAM, [...NODE_ARGS, 'unshare', '-r', 'sh', '-c', 'echo ready; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  const [status]: unknown[] = await once(child, 'exit')
  assert.equal(status, 143)
})
