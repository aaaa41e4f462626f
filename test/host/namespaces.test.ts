// Every way in which a namespace can be held, each made by hand, and found.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { release, tmpdir } from 'node:os'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'

import type { HostNamespace, HostNamespaces } from '../../src/index.ts'
import { compareNamespaces, hostNamespaces } from '../../src/index.ts'
import type { NamespaceLink } from '../../src/linux/index.ts'
import {
  openNamespace,
  openNamespaceOfPidfd,
  openPidfd,
  packetSocketPair,
  readNamespace,
  readProcessStat,
  sendDescriptors,
  trySyscall,
} from '../../src/linux/index.ts'
import { lacksProgram, lacksRoot } from './child.ts'

const lacksUsers = (): string | undefined =>
  spawnSync('unshare', ['--user', 'true']).status === 0 ? undefined : 'needs user namespaces'

const skip = lacksRoot() ?? lacksProgram('unshare', 'lsns') ?? lacksUsers() ?? false

/** Why not to run a test of what the kernel has since a version. */
const since = (major: number, minor: number): string | false => {
  const [ours = 0, oursMinor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10))
  return ours < major || (ours === major && oursMinor < minor) ? `needs Linux ${major}.${minor}` : skip
}

/** The linux face, for code that runs in a process of its own. */
const FACE = JSON.stringify(new URL('../../src/linux/index.js', import.meta.url).href)

const LIBRARY = JSON.stringify(new URL('../../src/index.js', import.meta.url).href)

/** A process, once it has written a line; ended when the test ends. */
const start = async (t: TestContext, program: string, ...args: readonly string[]): Promise<ChildProcess> => {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
  })
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(`${program} ${args.join(' ')} has failed`))),
  ])
  return child
}

const pidOf = ({ pid }: ChildProcess): number => pid ?? 0

/** The same, in namespaces that unshare(1) makes for it. */
const startIn = (t: TestContext, ...options: readonly string[]): Promise<ChildProcess> =>
  start(t, 'unshare', ...options, 'sh', '-c', 'echo there; exec sleep 1000')

const inodeOf = (pid: number, link: NamespaceLink): number => readNamespace(pid, link)?.inode ?? 0

const find = ({ namespaces }: HostNamespaces, inode: number | undefined): HostNamespace => {
  const found = namespaces.find((each) => each.inode === inode)
  assert.ok(found !== undefined, `namespace ${inode} is not found`)
  return found
}

/** A file to mount a namespace on, unmounted and gone when the test ends. */
const mountPoint = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'tare-ns-'))
  const path = join(folder, 'a b')
  writeFileSync(path, '')
  t.after(() => {
    spawnSync('umount', ['-q', path])
    rmSync(folder, { recursive: true })
  })
  return path
}

/** The only child of a process. */
const childOf = (pid: number): number => {
  const { stdout } = spawnSync('cat', [`/proc/${pid}/task/${pid}/children`], { encoding: 'utf8' })
  return Number(stdout)
}

test('a process holds its namespaces', { skip }, async (t) => {
  const child = await startIn(t, '--net', '--uts')
  const before = readdirSync('/proc/self/fd')
  const all = hostNamespaces({ sockets: true })
  assert.deepEqual(readdirSync('/proc/self/fd'), before)
  const net = find(all, inodeOf(pidOf(child), 'net'))
  assert.equal(net.kind, 'net')
  assert.equal(net.processes, 1)
  assert.equal(net.owner, inodeOf(process.pid, 'user'))
  assert.equal(net.parent, undefined)
  assert.deepEqual(net.holders, [])
  assert.deepEqual(net.first, {
    pid: pidOf(child),
    pids: [pidOf(child)],
    uid: 0,
    user: 'root',
    uidInside: 0,
    command: 'sleep 1000',
  })
  const set = all.sets.find(({ pids }) => pids.includes(pidOf(child)))
  assert.deepEqual(set?.pids, [pidOf(child)])
  assert.equal(set?.namespaces.net, net.inode)
  assert.equal(set?.namespaces.mnt, inodeOf(process.pid, 'mnt'))
})

test('nested user and pid namespaces have their parents, owners and ids of both sides', { skip }, async (t) => {
  const options = ['--user', '--map-root-user', '--pid', '--kill-child']
  const outer = await startIn(t, ...options, 'unshare', ...options)
  const middle = childOf(pidOf(outer))
  const inner = childOf(middle)
  const all = hostNamespaces()
  const [user, pid] = [find(all, inodeOf(inner, 'user')), find(all, inodeOf(inner, 'pid'))]
  const [above, pidAbove] = [find(all, inodeOf(pidOf(outer), 'user')), find(all, inodeOf(middle, 'pid'))]
  assert.notEqual(user.inode, above.inode)
  assert.deepEqual([user.parent, user.owner, user.creator], [above.inode, above.inode, 0])
  assert.deepEqual([above.parent, above.owner], [inodeOf(process.pid, 'user'), inodeOf(process.pid, 'user')])
  assert.deepEqual([pid.parent, pid.owner], [pidAbove.inode, user.inode])
  assert.deepEqual([above.children, pidAbove.children, pid.children], [[user.inode], [pid.inode], []])
  assert.deepEqual([pidAbove.parent, pidAbove.owner], [inodeOf(process.pid, 'pid'), above.inode])
  // The second unshare(1) is in the first one's pid namespace, and in its own user namespace already.
  assert.deepEqual([above.processes, pidAbove.processes], [1, 1])
  assert.deepEqual(pid.first?.pids, [inner, 2, 1])
  assert.deepEqual([pid.first?.uid, pid.first?.uidInside], [0, 0])
})

test('a user namespace that only its child keeps', { skip }, async (t) => {
  const child = await startIn(t, '--user', '--map-root-user', 'unshare', '--user', '--map-root-user')
  const all = hostNamespaces()
  const own = find(all, inodeOf(pidOf(child), 'user'))
  const parent = find(all, own.parent)
  assert.equal(parent.processes, 0)
  assert.equal(parent.first, undefined)
  assert.deepEqual(parent.holders, [{ by: 'child', kind: 'user', inode: own.inode }])
  assert.equal(parent.parent, inodeOf(process.pid, 'user'))
})

test('a user namespace that only what it owns keeps', { skip }, async (t) => {
  const path = mountPoint(t)
  // Which user namespace a mount lies in is of no matter; that of the host may mount what it likes.
  const child = await startIn(t, '--user', '--map-root-user', '--net')
  const [user, net] = [inodeOf(pidOf(child), 'user'), inodeOf(pidOf(child), 'net')]
  assert.equal(spawnSync('mount', ['--bind', `/proc/${pidOf(child)}/ns/net`, path]).status, 0)
  const end = once(child, 'exit')
  child.kill('SIGKILL')
  await end
  const all = hostNamespaces()
  const [holder, ...others] = find(all, net).holders
  assert.ok(holder?.by === 'mount')
  // Whoever makes a mount namespace just now has the mount, too.
  assert.deepEqual([holder.path, holder.mountNamespaces[0]], [path, inodeOf(process.pid, 'mnt')])
  assert.deepEqual(others, [])
  assert.deepEqual([find(all, net).owner, find(all, net).processes], [user, 0])
  assert.deepEqual(find(all, user).holders, [{ by: 'owned', kind: 'net', inode: net }])
})

test('a mount, in a mount namespace that is not ours', { skip }, async (t) => {
  const path = mountPoint(t)
  const script = 'unshare --ipc="$0" true; stat -Lc %i "$0"; exec sleep 1000'
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [text]: Buffer[] = await once(child.stdout, 'data')
  const ipc = find(hostNamespaces(), Number(text))
  assert.equal(ipc.kind, 'ipc')
  assert.equal(ipc.processes, 0)
  assert.deepEqual(ipc.holders, [{ by: 'mount', path, mountNamespaces: [inodeOf(pidOf(child), 'mnt')] }])
  // Opened where it lies, in somebody else's mounts.
  assert.equal(ipc.owner, inodeOf(process.pid, 'user'))
})

test('a mount, in a mount namespace that no process is in', { skip: since(6, 11) }, async (t) => {
  const path = mountPoint(t)
  const script = 'unshare --ipc="$0" true; stat -Lc %i "$0"; exec sleep 1000'
  const child = await start(t, 'unshare', '--mount', 'sh', '-c', script, path)
  const mnt = inodeOf(pidOf(child), 'mnt')
  const { stdout } = spawnSync('stat', ['-Lc', '%i', `/proc/${pidOf(child)}/root${path}`], { encoding: 'utf8' })
  const holder = await start(t, 'sh', '-c', `exec 7</proc/${pidOf(child)}/ns/mnt; echo there; exec sleep 1000`)
  const end = once(child, 'exit')
  child.kill('SIGKILL')
  await end
  const all = hostNamespaces()
  const ipc = find(all, Number(stdout))
  assert.deepEqual([ipc.kind, ipc.processes], ['ipc', 0])
  assert.deepEqual(ipc.holders, [{ by: 'mount', path, mountNamespaces: [mnt] }])
  assert.deepEqual(find(all, mnt).holders, [{ by: 'descriptor', pid: pidOf(holder), fds: [7], command: 'sleep' }])
})

test('a descriptor in another process', { skip }, async (t) => {
  const child = await startIn(t, '--uts')
  const uts = inodeOf(pidOf(child), 'uts')
  const script = `exec 7</proc/${pidOf(child)}/ns/uts 9<&7; echo there; exec sleep 1000`
  const holder = await start(t, 'sh', '-c', script)
  const end = once(child, 'exit')
  child.kill('SIGKILL')
  await end
  const found = find(hostNamespaces(), uts)
  assert.deepEqual([found.kind, found.processes, found.owner], ['uts', 0, inodeOf(process.pid, 'user')])
  assert.deepEqual(found.holders, [{ by: 'descriptor', pid: pidOf(holder), fds: [7, 9], command: 'sleep' }])
})

test('a thread that has moved away from its process', { skip }, async (t) => {
  const worker = `
    import(${FACE}).then((linux) => {
      linux.unshare(['net', 'mnt'])
      const inode = (kind) => linux.readNamespace('thread-self', kind).inode
      const { writeSync } = require('node:fs')
      writeSync(1, [linux.trySyscall('gettid'), inode('net'), inode('mnt')].join(' '))
      setInterval(() => {}, 1000)
    })`
  const code = `new (require('node:worker_threads').Worker)(${JSON.stringify(worker)}, { eval: true })`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [text]: Buffer[] = await once(child.stdout, 'data')
  const [tid, net, mnt] = String(text).split(' ').map(Number)
  const all = hostNamespaces()
  for (const inode of [net, mnt]) {
    const found = find(all, inode)
    assert.equal(found.processes, 0)
    assert.equal(found.owner, inodeOf(process.pid, 'user'))
    assert.deepEqual(found.holders, [{ by: 'thread', pid: pidOf(child), tid, command: 'node' }])
  }
})

test('a socket that was opened elsewhere, if asked for', { skip }, async (t) => {
  const code = `import(${FACE}).then((linux) => {
    const back = linux.openNamespace('self', 'net')
    linux.unshare(['net'])
    const fds = [1, 2].map((type) => linux.trySyscall('socket', 2, type, 0))
    const { inode } = linux.readNamespace('thread-self', 'net')
    linux.setns(back, ['net'])
    require('node:fs').closeSync(back)
    console.log([inode, ...fds].join(' '))
    setInterval(() => {}, 1000)
  })`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const [text]: Buffer[] = await once(child.stdout, 'data')
  const [inode, ...fds] = String(text).trim().split(' ').map(Number)
  const net = find(hostNamespaces({ sockets: true }), inode)
  assert.deepEqual([net.kind, net.processes, net.owner], ['net', 0, inodeOf(process.pid, 'user')])
  assert.deepEqual(net.holders, [{ by: 'socket', pid: pidOf(child), fds, command: 'node' }])
  assert.ok(!hostNamespaces().namespaces.some((each) => each.inode === inode))
})

/** The inode of a namespace that a process keeps for its children, though its link leads nowhere yet. */
const forChildren = (pid: number): number => {
  const pidfd = openPidfd(pid)
  const fd = openNamespaceOfPidfd(pidfd, 'pid_for_children')
  const { stdout } = spawnSync('stat', ['-Lc', '%i', `/proc/${process.pid}/fd/${fd}`], { encoding: 'utf8' })
  for (const each of [pidfd, fd]) trySyscall('close', each)
  return Number(stdout)
}

test('a descriptor that is underway in a message', { skip: since(6, 19) }, async (t) => {
  const child = await startIn(t, '--uts')
  const uts = inodeOf(pidOf(child), 'uts')
  const [socket, other] = packetSocketPair()
  const fd = openNamespace(pidOf(child), 'uts')
  sendDescriptors(socket, Buffer.of(0), [fd], { operation: 'send a namespace' })
  closeSync(fd)
  const end = once(child, 'exit')
  child.kill('SIGKILL')
  await end
  const { kind, processes, holders, owner } = find(hostNamespaces(), uts)
  for (const each of [socket, other]) closeSync(each)
  assert.deepEqual([kind, processes, holders, owner], ['uts', 0, [], inodeOf(process.pid, 'user')])
})

test('a process whose children will be born elsewhere', { skip: since(6, 11) }, async (t) => {
  const code = `import(${FACE}).then((linux) => { linux.unshare(['pid', 'time']); console.log('there'); setInterval(() => {}, 1000) })`
  const child = await start(t, process.execPath, '-e', code)
  const all = hostNamespaces()
  const holders = [{ by: 'children', pid: pidOf(child), command: 'node' }] as const
  const time = find(all, inodeOf(pidOf(child), 'time_for_children'))
  assert.deepEqual([time.kind, time.processes, time.holders], ['time', 0, holders])
  const pid = find(all, forChildren(pidOf(child)))
  assert.deepEqual([pid.kind, pid.processes, pid.holders], ['pid', 0, holders])
  assert.deepEqual([pid.parent, pid.owner], [inodeOf(process.pid, 'pid'), inodeOf(process.pid, 'user')])
})

interface Lsns {
  readonly namespaces: readonly {
    readonly ns: number
    readonly type: string
    readonly nprocs: number
    readonly pid: number
  }[]
}

const lsns = (): Lsns['namespaces'] => {
  const { stdout } = spawnSync('lsns', ['--json', '--output', 'NS,TYPE,NPROCS,PID'], { encoding: 'utf8' })
  // The form that lsns(8) documents.
  return (JSON.parse(stdout) as Lsns).namespaces
}

test('all that lsns(8) finds, with the same types, counts and first processes', { skip }, async (t) => {
  const kinds = ['--user', '--map-root-user', '--net', '--uts', '--ipc', '--mount', '--cgroup', '--time']
  const children = [
    await startIn(t, ...kinds, '--pid', '--kill-child'),
    await startIn(t, '--net'),
    await startIn(t, '--mount', '--pid', '--kill-child', 'unshare', '--ipc', '--kill-child'),
  ]
  const before = lsns()
  const all = hostNamespaces()
  const after = new Map(lsns().map((each) => [each.ns, each]))
  const lasting = before.filter(({ ns }) => after.has(ns))
  assert.deepEqual(
    lasting.map(({ ns, type }) => [ns, type]),
    lasting.map(({ ns }) => [ns, find(all, ns).kind]),
  )
  const own = new Set(children.map(pidOf))
  const ofOurs = lasting.filter(
    ({ pid }) => own.has(pid) || own.has(childOf(pid)) || children.some((each) => childOf(pidOf(each)) === pid),
  )
  assert.ok(ofOurs.length >= 12, `${ofOurs.length} namespaces`)
  assert.deepEqual(
    ofOurs,
    ofOurs.map(({ ns }) => {
      const { inode, kind, processes, first } = find(all, ns)
      return { ns: inode, type: kind, nprocs: processes, pid: first?.pid }
    }),
  )
})

test('a process beside the one it comes from', { skip }, async (t) => {
  const child = await startIn(t, '--user', '--map-root-user', '--net', '--pid', '--kill-child')
  const inner = childOf(pidOf(child))
  const { process: one, other, otherIs, kinds } = compareNamespaces(inner, pidOf(child))
  assert.equal(otherIs, 'process')
  assert.deepEqual([one.pids, other.pids], [[inner, 1], [pidOf(child)]])
  assert.deepEqual(one.uidMap, [{ inside: 0, outside: 0, size: 1 }])
  assert.deepEqual(
    kinds.filter(({ same }) => !same).map(({ kind }) => kind),
    ['pid'],
  )
  const beside = compareNamespaces(inner, process.pid)
  assert.deepEqual(
    beside.kinds.filter(({ same }) => !same).map(({ kind, process: inode }) => [kind, inode]),
    (['net', 'pid', 'user'] as const).map((kind) => [kind, inodeOf(inner, kind)]),
  )
  assert.equal(beside.other.uidMap, undefined)
})

test('ids are those of the reader, in whichever user namespace it is', { skip }, () => {
  const code = `import(${LIBRARY}).then(({ compareNamespaces, findContainers }) => {
    const { process: own } = compareNamespaces(process.pid, process.pid)
    const all = findContainers({ host: true }).flatMap(({ processes }) => processes)
    const listed = all.find(({ pid }) => pid === process.pid)
    console.log(JSON.stringify([own.uid, own.uidInside, own.uidMap ?? null, listed.uid, listed.uidInside]))
  })`
  const through = ['--user', '--map-user=1000', process.execPath, '-e', code]
  const { stdout } = spawnSync('unshare', through, { encoding: 'utf8' })
  assert.equal(stdout, '[1000,1000,null,1000,1000]\n')
})

test('a process that has ended is none to compare with', { skip }, async (t) => {
  const child = await startIn(t, '--net')
  const end = once(child, 'exit')
  child.kill('SIGKILL')
  await end
  const missing =
    /cannot look at the namespaces of process \d+: ESRCH \(no such process\)\nIt has ended, or is not visible/
  assert.throws(() => compareNamespaces(pidOf(child)), missing)
  assert.throws(() => compareNamespaces(process.pid, pidOf(child)), missing)
  // One that its parent doesn't ask for.
  const parent = await start(t, 'sh', '-c', 'sleep 1000 & echo there; exec sleep 1000')
  const zombie = childOf(pidOf(parent))
  process.kill(zombie, 'SIGKILL')
  while (readProcessStat(zombie).state !== 'Z') await setTimeout(5)
  assert.throws(
    () => compareNamespaces(zombie),
    /cannot look at the namespaces of process \d+: it has ended\nIts parent has not asked/,
  )
  assert.throws(
    () => compareNamespaces(process.pid, zombie),
    /cannot look at the namespaces of process \d+: it has ended/,
  )
})
