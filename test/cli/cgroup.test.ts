// The commands of `tare cgroup`, on whichever layout this host has. Needs root for most of them.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, test } from 'node:test'
import { readCgroupLayout } from '../../src/linux/index.ts'
import type { Called } from './tare.ts'
import { NOBODY, isRoot, tare } from './tare.ts'

const { hierarchies, kind } = readCgroupLayout()
const skip = !isRoot ? 'needs root' : kind === 'none' ? 'needs control groups' : false
const v1 = hierarchies.some(({ version, controllers }) => version === 1 && controllers.includes('memory'))

const made: string[] = []
const children: ChildProcess[] = []
let count = 0

const newName = (): string => {
  const name = `/tare-cli-${process.pid}-${(count += 1)}`
  made.push(name)
  return name
}

const cgroup = (...words: readonly string[]): Called => tare(['cgroup', ...words])

const works = (...words: readonly string[]): string => {
  const { status, stdout, stderr } = cgroup(...words)
  assert.equal(status, 0, stderr)
  assert.equal(stderr, '')
  return stdout
}

/** That it fails, with a message, and prints nothing else. */
const fails = (message: RegExp, ...words: readonly string[]): void => {
  const { status, stdout, stderr } = cgroup(...words)
  assert.match(stderr, message)
  assert.equal(stderr.split('\n').length <= 3, true, stderr)
  assert.deepEqual([status, stdout], [125, ''])
}

const isThere = (name: string): boolean => hierarchies.some(({ mountPoint }) => existsSync(`${mountPoint}${name}`))

const create = (...settings: readonly string[]): string => {
  const name = newName()
  works('create', '-q', name, ...settings)
  return name
}

const sleeper = (): string => {
  const child = spawn('sleep', ['100'], { stdio: 'ignore' })
  children.push(child)
  return String(child.pid)
}

after(() => {
  for (const child of children) child.kill('SIGKILL')
  for (const name of made) if (isThere(name)) cgroup('rm', '-r', '--kill', name)
})

test('create shows what the kernel has put there, controller by controller', { skip }, () => {
  const name = newName()
  const out = works('create', name, 'pids=77')
  assert.match(out, new RegExp(`^made ${name}\n`))
  assert.match(out, /^ {2}pids\.max +rw {3}The most processes and threads; no more can be started\.$/m)
  assert.match(out, /^ {2}cgroup\.procs +rw {3}The processes in this group\./m)
  assert.equal(works('get', '--raw', name, 'pids.max'), '77\n')
  fails(/^tare: cannot make cgroup .*: EEXIST /, 'create', name)
})

test('create --json names every file and its directory', { skip }, () => {
  const name = newName()
  const { name: told, files } = JSON.parse(works('create', '--json', name))
  assert.equal(told, name)
  const max = files.find(({ file }: { file: string }) => file === 'pids.max')
  assert.equal(max.key, 'pids')
  assert.ok(existsSync(max.path))
})

test('create of one controller is in one hierarchy of version 1', { skip: skip || (!v1 && 'needs cgroup v1') }, () => {
  const name = newName()
  works('create', '-q', '-c', 'pids', name)
  const places = hierarchies.filter(({ mountPoint }) => existsSync(`${mountPoint}${name}`))
  assert.deepEqual(
    places.map((hierarchy) => hierarchy.name),
    ['pids'],
  )
  fails(/the group (is not in the hierarchy of|was made without the) memory/, 'set', name, 'memory=1MiB')
  works('create', '-q', '-c', 'memory', name)
  works('set', name, 'memory=64MiB')
})

test('settings are set in human units, and come back in the same form', { skip }, () => {
  const name = create()
  const settings = ['memory=64MiB', 'cpus=0.5', 'cpu-burst=10ms', 'pids=100', 'cpuset-cpus=0']
  works('set', name, ...settings)
  const [entry] = JSON.parse(works('ls', '--json', name))
  const told = entry.limits.map(({ key, value }: { key: string; value: string }) => `${key}=${value}`)
  // On a host with one processor, 0 is what the group above has.
  const expected = settings.filter((word) => word !== 'cpuset-cpus=0' || told.includes(word))
  assert.deepEqual(told.toSorted(), expected.toSorted())
  works('set', name, ...told)
  assert.match(works('get', name, 'memory', 'cpus'), /^memory \(memory\..*\): 64MiB \(67108864\)\n.*\n\ncpus .*: 0\.5 /)
  works('set', name, 'memory=max', 'cpu-burst=0', 'cpus=max', 'pids=max')
  const [bare] = JSON.parse(works('ls', '--json', name))
  assert.deepEqual(
    bare.limits.filter(({ key }: { key: string }) => key !== 'cpuset-cpus'),
    [],
  )
})

test("the kernel's own names take units, too", { skip }, () => {
  const name = create()
  const [file, period] = v1 ? ['memory.limit_in_bytes', 'cpu.cfs_period_us=50ms'] : ['memory.max', 'cpu.max=max 50000']
  works('set', name, `${file}=32MiB`, period)
  assert.equal(works('get', '--raw', name, file), `${32 * 1024 ** 2}\n`)
  assert.equal(works('get', '--raw', name, period.split('=')[0] ?? ''), v1 ? '50000\n' : 'max 50000\n')
})

test('one refused setting leaves all as they were', { skip }, () => {
  const name = create('pids=10', 'memory=64MiB')
  // Known to be wrong before anything is written, and only when the kernel sees it.
  fails(/^tare: cannot use "5XB" as memory: it is not a size\nWrite /, 'set', name, 'pids=5', 'memory=5XB')
  fails(/^tare: cannot write 4000 to cpuset\.cpus of /, 'set', name, 'pids=5', 'memory=32MiB', 'cpuset.cpus=4000')
  assert.equal(works('get', '--raw', name, 'pids.max', 'memory'), `10\n${64 * 1024 ** 2}\n`)
})

test('what this layout does not have is said, and what it has instead', { skip }, () => {
  const name = create()
  const [key, file, other] = v1
    ? ['memory-high=1MiB', 'memory.max=1MiB', 'memory.limit_in_bytes']
    : ['oom-kill=off', 'memory.limit_in_bytes=1MiB', 'memory.max']
  fails(/: cgroup version [12], which has the controller here, has no such limit\n/, 'set', name, key)
  fails(new RegExp(`cgroup version [12], which has no such file\nThere it is ${other}\\.`), 'set', name, file)
  fails(
    /^tare: cannot set pids\.maxx of .*: the kernel has no such file\nDid you mean pids\.max\?/,
    'set',
    name,
    'pids.maxx=1',
  )
  fails(/: it does something rather than set something\nUse tare cgroup move\.$/m, 'set', name, 'cgroup.procs=1')
  fails(/: it can only be read\n$/, 'set', name, 'pids.current=1')
  fails(/no mounted cgroup hierarchy has the nonsense controller/, 'set', name, 'nonsense.max=1')
})

test('get shows all files, some of them whole, and says what it lacks', { skip }, () => {
  const name = create('pids=100')
  assert.match(works('get', name), /^ {2}pids\.max +pids +100$/m)
  assert.match(works('get', name, 'memory.stat'), /^memory\.stat:\nWhat its memory is used for.*\n {2}\w+ \d+\n/)
  const [{ text, words, key }] = JSON.parse(works('get', '--json', name, 'pids.max'))
  assert.deepEqual([text, words, key], ['100', '100', 'pids'])
  fails(/^tare: cannot get pidz of .*: the group has no such setting here\nDid you mean pids\?/, 'get', name, 'pidz')
})

test('move takes a process with its threads, and back', { skip }, () => {
  const name = create()
  const pid = sleeper()
  works('move', name, pid)
  const [entry] = JSON.parse(works('ls', '--json', name))
  assert.deepEqual(entry.processes, [Number(pid)])
  assert.match(works('ls', name), new RegExp(`^${name} +1 `, 'm'))
  works('move', '/', pid)
  works('rm', name)
})

test('move of one that has ended moves none', { skip }, () => {
  const name = create()
  const pid = sleeper()
  fails(/^tare: cannot move process 4194304: there is no such process, or it has ended\n/, 'move', name, pid, '4194304')
  fails(/^tare: cannot move process 2 \(kthreadd\): it is a thread of the kernel/, 'move', name, pid, '2')
  fails(/^tare: cannot use "nginx": it is no process id\n/, 'move', name, 'nginx')
  fails(/cannot use "0": it is no process id\n/, 'move', name, '0')
  const [entry] = JSON.parse(works('ls', '--json', name))
  assert.deepEqual(entry.processes, [])
})

test('freeze, thaw and kill', { skip }, () => {
  const name = create()
  works('move', name, sleeper())
  works('freeze', name)
  assert.match(works('ls', name), / frozen$/m)
  works('thaw', name)
  assert.doesNotMatch(works('ls', name), / frozen$/m)
  works('freeze', name)
  works('kill', name)
  assert.deepEqual(JSON.parse(works('ls', '--json', name))[0].processes, [])
  fails(/^tare: cannot freeze cgroup \/: this process is in it itself\n/, 'freeze', '/')
  fails(/^tare: cannot kill all processes of cgroup \/: this process is in it itself\n/, 'kill', '/')
})

test('rm leaves a group alone that has processes or groups, and names them', { skip }, () => {
  const name = create()
  works('create', '-q', `${name}/below`)
  const pid = sleeper()
  works('move', `${name}/below`, pid)
  fails(/: there are groups below it: below\nRemove them first, or all of it: -r\.\n$/, 'rm', name)
  fails(new RegExp(`: there are processes in it: ${pid} \\(sleep\\)\n.*--kill`), 'rm', '-r', name)
  assert.ok(isThere(`${name}/below`))
  works('rm', '-r', '--kill', name)
  assert.ok(!isThere(name))
  fails(/^tare: cannot remove cgroup \/: it is the root of all\n/, 'rm', '/')
})

test('a name that is not there, or can not be one', { skip }, () => {
  const name = create()
  fails(/: there is no such group\nDid you mean /, 'rm', `${name}x`)
  fails(/: there is no such group\n/, 'rm', name, `${name}x`)
  assert.ok(isThere(name))
  fails(/: "\.\." would leave the hierarchy\n/, 'create', '/a/../../b')
  fails(/: the root group is always there\n/, 'create', '/')
  const directory = `${hierarchies.find(({ mountPoint }) => existsSync(`${mountPoint}${name}`))?.mountPoint}${name}`
  works('rm', directory)
  assert.ok(!isThere(name))
})

test('the root is the host itself, and has no limits', { skip }, () => {
  fails(/: ENOENT .*\n.* The root group has no such limit: it is the host itself\.$/m, 'set', '/', 'pids=max')
  fails(
    /^tare: cannot thaw cgroup .*: ENOENT .*\nThe root group has no such file: it can not be frozen\.$/m,
    'thaw',
    '/',
  )
})

test('controllers that are not there, or not named', { skip }, () => {
  const name = newName()
  fails(/: no mounted cgroup hierarchy has the nonsense controller\nThis host has /, 'create', '-c', 'nonsense', name)
  fails(/^tare: cannot use --controllers=cpu,: a name is missing\n/, 'create', '-c', 'cpu,', name)
  assert.ok(!isThere(name))
})

test('ls draws what is below what, and shows only busy groups if asked to', { skip }, () => {
  const name = create()
  works('create', '-q', `${name}/a/b`)
  works('create', '-q', `${name}/c`)
  works('move', `${name}/c`, sleeper())
  const names = (out: string): readonly string[] =>
    out
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(/ {3,}\S/)[0] ?? '')
  assert.deepEqual(names(works('ls', '--tree', name)), [name, '├─ a', '│  └─ b', '└─ c'])
  assert.deepEqual(names(works('ls', '--busy', name)), [`${name}/c`])
  assert.match(works('ls', '-bp', name), new RegExp(`^${name}/c +1 .*\n {2}\\d+ sleep 100\n$`, 'm'))
})

test('ls without privileges shows all groups; create says what it takes', () => {
  const listed = tare(['cgroup', 'ls', '--json'], isRoot ? { as: NOBODY } : {})
  assert.equal(listed.status, 0, listed.stderr)
  assert.equal(JSON.parse(listed.stdout)[0].name, '/')
  const denied = tare(['cgroup', 'create', `/tare-cli-${process.pid}-denied`], isRoot ? { as: NOBODY } : {})
  assert.equal(denied.status, 125)
  assert.match(
    denied.stderr,
    /^tare: cannot make cgroup .*: EACCES \(permission denied\)\nRun as root, or in a subtree that/,
  )
})

test('ls of a group that is not there says so', () => {
  const { status, stderr } = cgroup('ls', '/tare-no-such-group')
  assert.equal(status, 125)
  assert.match(stderr, /^tare: cannot find cgroup \/tare-no-such-group: there is no such group\n/)
})
