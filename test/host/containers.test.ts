import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'

import type { ContainedProcess, FoundContainer, ProcessNode } from '../../src/index.ts'
import { container, findContainers, processTree, TareError } from '../../src/index.ts'
import { hierarchyOf, readCgroupLayout, readProcessStatus } from '../../src/linux/index.ts'
import { lacksProgram, lacksRoot } from './child.ts'

/** Milliseconds. */
const PATIENCE = 15_000

interface Sighting {
  readonly container: FoundContainer
  readonly process: ContainedProcess
  /** All that was found. */
  readonly all: readonly FoundContainer[]
}

/** How long the contained programs would sleep, in seconds: numbers that nothing else has. */
let next = 200_000 + (process.pid % 100_000)

const isSleeper = (seconds: string, { commandLine }: ContainedProcess): boolean =>
  commandLine.length === 2 && commandLine[0] === 'sleep' && commandLine[1] === seconds

/** The process that sleeps for so long, once it is in a container. */
const sighted = async (seconds: string, child?: ChildProcess): Promise<Sighting> => {
  const begin = performance.now()
  for (;;) {
    const all = findContainers()
    for (const found of all) {
      const process = found.processes.find((each) => isSleeper(seconds, each))
      if (process !== undefined) return { container: found, process, all }
    }
    assert.ok(performance.now() - begin < PATIENCE && (child?.exitCode ?? null) === null, `no sleep ${seconds}`)
    await wait(10)
  }
}

/** Starts words with `sleep SECONDS` behind them, which runs in a container; `use` sees it, then it ends. */
const withSleeper = async (
  words: readonly string[],
  use: (sighting: Sighting) => Promise<void> | void,
): Promise<void> => {
  const seconds = String(next++)
  const [program = '', ...args] = words
  const child = spawn(program, [...args, 'sleep', seconds], { stdio: 'ignore' })
  const ended = once(child, 'close')
  try {
    await use(await sighted(seconds, child))
  } finally {
    for (const { processes } of findContainers())
      for (const each of processes) if (isSleeper(seconds, each)) process.kill(each.pid, 'SIGKILL')
    await ended
  }
}

const kinds = ({ namespaces }: FoundContainer): readonly string[] => namespaces.map(({ kind }) => kind)

const needsUnshare = { skip: lacksRoot() ?? lacksProgram('unshare') ?? false }

test('a container of ours, with its ids and users on both sides', { skip: lacksRoot() ?? false }, async () => {
  await using box = await container({ memory: '64MiB' })
  const seconds = String(next++)
  const program = box.exec(['sleep', seconds])
  const { container: found, process } = await sighted(seconds)
  assert.equal(found.madeBy, 'tare')
  assert.match(found.id ?? '', /^[0-9a-f]{12}$/)
  assert.equal(found.kind, 'container')
  assert.equal(found.leader, box.pid)
  assert.deepEqual(found.namespace?.kind, 'pid')
  // Not every kernel has time namespaces.
  const all = kinds(found).filter((kind) => kind !== 'time')
  assert.deepEqual(all, ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'])
  assert.match(process.cgroup ?? '', /\/tare\//)
  assert.equal(process.pids.length, 2)
  assert.equal(process.pids[0], process.pid)
  assert.equal(process.uidInside, 0)
  assert.notEqual(process.uid, 0)
  assert.ok((process.memory ?? 0) > 0)
  assert.ok(process.age < 60_000)
  assert.ok(Math.abs(Date.now() - process.age - process.startTime.getTime()) < 60_000)
  program.kill()
  await program
})

test(
  'pid namespaces in one another: each is a container inside of the one it was started in',
  needsUnshare,
  async () => {
    const inner = ['unshare', '-pf', '--kill-child']
    await withSleeper(['unshare', '-mpf', '--kill-child', ...inner, ...inner], ({ container: found, process, all }) => {
      assert.equal(process.pids.length, 4)
      assert.deepEqual(process.pids, readProcessStatus(process.pid).pids)
      assert.equal(process.pids.at(-1), 1)
      assert.equal(found.leader, process.pid)
      const outer = all.find(({ leader }) => leader === found.parent)
      const outermost = all.find(({ leader }) => leader === outer?.parent)
      assert.equal(outermost?.parent, undefined)
      assert.deepEqual(
        [found, outer, outermost].map((each) => each?.madeBy),
        ['unshare', 'unshare', 'unshare'],
      )
      // Each comes right behind the one that it is in.
      const order = all.filter((each) => [found, outer, outermost].includes(each))
      assert.deepEqual(order, [outermost, outer, found])
      // The first unshare(1) has the new mounts only, and started the container: it is shown with it.
      assert.deepEqual(
        outermost?.processes.map(({ name, pids }) => [name, pids.length]),
        [
          ['unshare', 1],
          ['unshare', 2],
        ],
      )
      assert.equal(outermost?.leader, outermost?.processes[1]?.pid)
    })
  },
)

test('who started whom, from PID 1 of the host on', needsUnshare, async () => {
  await withSleeper(['unshare', '-pf', '--kill-child'], ({ container: found, process: sleeper }) => {
    const way: ProcessNode[] = []
    const visit = (node: ProcessNode): boolean => {
      way.push(node)
      if (node.process.pid === sleeper.pid || node.children.some(visit)) return true
      way.pop()
      return false
    }
    const roots = processTree([found])
    assert.equal(roots.length, 1)
    assert.ok(roots.some(visit))
    assert.equal(way[0]?.process.pid, 1)
    assert.equal(way.at(-1)?.container, found)
    assert.deepEqual(way.at(-2)?.process.name, 'unshare')
    assert.equal(way.at(-3)?.process.pid, process.pid)
    assert.ok(way.slice(0, -1).every((node) => node.container === undefined))
  })
})

test(
  'any one namespace makes a container; what entered some of its namespaces is shown with it',
  needsUnshare,
  async () => {
    for (const [option, kind] of [
      ['-m', 'mnt'],
      ['-n', 'net'],
      ['-i', 'ipc'],
      ['-u', 'uts'],
      ['-C', 'cgroup'],
    ] as const) {
      await withSleeper(['unshare', option], ({ container: found, process }) => {
        assert.equal(found.namespace?.kind, kind)
        assert.deepEqual(kinds(found), [kind])
        assert.deepEqual(process.pids, [process.pid])
        assert.equal(found.cgroup, process.cgroup)
      })
    }
    await withSleeper(['unshare', '-Ur'], ({ container: found, process }) => {
      assert.deepEqual(kinds(found), ['user'])
      assert.equal(process.uidInside, 0)
    })
    await withSleeper(['unshare', '-U'], ({ process }) => assert.equal(process.uidInside, undefined))
    await withSleeper(['unshare', '-npf', '--kill-child'], async ({ container: outer, process }) => {
      await withSleeper(['nsenter', '-t', `${process.pid}`, '-n'], ({ container: found, process: visitor }) => {
        assert.equal(found.leader, outer.leader)
        assert.ok(found.processes.some(({ pid }) => pid === process.pid))
        assert.deepEqual(visitor.pids, [visitor.pid])
      })
    })
  },
)

test('a container of bwrap', { skip: lacksRoot() ?? lacksProgram('bwrap') ?? false }, async () => {
  const words = ['bwrap', '--unshare-all', '--uid', '1000', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev']
  await withSleeper(words, ({ container: found, process }) => {
    assert.equal(found.madeBy, 'bwrap')
    assert.deepEqual(kinds(found), ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'])
    assert.deepEqual(process.pids.slice(1), [2])
    assert.deepEqual([process.uid, process.uidInside], [0, 1000])
  })
})

const scratch = mkdtempSync(join(tmpdir(), 'tare-containers-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** A bundle with busybox in which `sleep SECONDS` runs, and its id. */
const makeBundle = (runtime: string, seconds: string): { readonly bundle: string; readonly id: string } => {
  const bundle = join(scratch, runtime)
  const id = `tare-ps-${runtime}-${process.pid}`
  mkdirSync(join(bundle, 'rootfs/bin'), { recursive: true })
  copyFileSync('/bin/busybox', join(bundle, 'rootfs/bin/sleep'))
  assert.equal(spawnSync('runc', ['spec'], { cwd: bundle }).status, 0)
  const path = join(bundle, 'config.json')
  const config = JSON.parse(readFileSync(path, 'utf8')) as { process: object; linux: object }
  config.process = { ...config.process, terminal: false, args: ['sleep', seconds] }
  config.linux = { ...config.linux, cgroupsPath: `/${id}` }
  writeFileSync(path, JSON.stringify(config))
  return { bundle, id }
}

for (const runtime of ['runc', 'crun']) {
  const skip =
    lacksRoot() ?? lacksProgram('runc', runtime) ?? (existsSync('/bin/busybox') ? false : 'needs /bin/busybox')
  test(`a container of ${runtime}`, { skip }, async () => {
    const seconds = String(next++)
    const { bundle, id } = makeBundle(runtime, seconds)
    // crun refuses a host that has both versions of control groups; it goes by the first with the second out of sight.
    const script = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'
    const hidden = runtime === 'crun' ? ['unshare', '-m', 'sh', '-c', script, 'sh'] : []
    const words = [...hidden, runtime, '--root', join(bundle, 'state'), 'run', '--bundle', bundle, id]
    const child = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] })
    const ended = once(child, 'close')
    const { container: found, process } = await sighted(seconds, child)
    assert.deepEqual([found.madeBy, found.name, found.leader], [runtime, id, process.pid])
    assert.deepEqual(process.pids, [process.pid, 1])
    assert.equal(process.cgroup, `/${id}`)
    assert.deepEqual(
      findContainers({ pids: [process.pid] }).map(({ leader }) => leader),
      [process.pid],
    )
    globalThis.process.kill(process.pid, 'SIGKILL')
    await ended
  })
}

test(
  'a service of the system with a namespace of its own is shown on request, and named by its unit',
  needsUnshare,
  async () => {
    const layout = readCgroupLayout()
    const hierarchy = hierarchyOf(layout, 'memory') ?? layout.hierarchies[0]
    assert.ok(hierarchy !== undefined)
    const unit = `tare-ps-${process.pid}.service`
    const directory = join(hierarchy.mountPoint, unit)
    const seconds = String(next++)
    mkdirSync(directory)
    try {
      const script = `echo $$ >${directory}/cgroup.procs && exec unshare -m sleep ${seconds}`
      const child = spawn('sh', ['-c', script], { stdio: 'ignore' })
      const ended = once(child, 'close')
      let found: FoundContainer | undefined
      for (
        const begin = performance.now();
        found === undefined && performance.now() - begin < PATIENCE;
        await wait(10)
      ) {
        found = findContainers({ services: true }).find(({ name }) => name === unit)
      }
      assert.deepEqual([found?.kind, found?.madeBy, found?.leader], ['service', 'systemd', child.pid])
      assert.equal(found?.cgroup, `${hierarchy.root === '/' ? '' : hierarchy.root}/${unit}`)
      assert.ok(!findContainers().some(({ name }) => name === unit))
      assert.deepEqual(
        findContainers({ pids: [child.pid ?? 0] }).map(({ name }) => name),
        [unit],
      )
      child.kill('SIGKILL')
      await ended
    } finally {
      // The kernel takes a moment to let go of the last process.
      for (
        const begin = performance.now();
        existsSync(directory) && performance.now() - begin < PATIENCE;
        await wait(10)
      ) {
        spawnSync('rmdir', [directory])
      }
    }
  },
)

test('the host is not contained, and shown on request', () => {
  const pids = (all: readonly FoundContainer[]): readonly number[] =>
    all.flatMap(({ processes }) => processes.map(({ pid }) => pid))
  assert.ok(!pids(findContainers({ services: true })).includes(process.pid))
  const all = findContainers({ host: true })
  assert.equal(all.at(-1)?.kind, 'host')
  const self = all.at(-1)?.processes.find(({ pid }) => pid === process.pid)
  assert.equal(self?.ppid, process.ppid)
  assert.equal(self?.uidInside, process.geteuid?.())
  assert.equal(new Set(pids(all)).size, pids(all).length)
  assert.deepEqual(
    findContainers({ host: true, pids: [process.pid] }).map(({ kind }) => kind),
    ['host'],
  )
})

test('what is no process, has ended, or is in no container, is said', () => {
  const refused = (pid: number): TareError => {
    try {
      findContainers({ pids: [pid] })
    } catch (error) {
      assert.ok(error instanceof TareError)
      return error
    }
    return assert.fail(`process ${pid} was found`)
  }
  for (const pid of [0, -1, 1.5, Number.NaN, 2 ** 31]) assert.equal(refused(pid).code, 'ERR_TARE_INPUT')
  assert.match(
    refused(spawnSync('true').pid).message,
    /^cannot find the container of process \d+: ESRCH \(no such process\)\n/,
  )
  assert.match(refused(process.pid).message, /^cannot find the container of process \d+: it is in none\n/)
  assert.equal(refused(process.pid).code, 'ERR_TARE_NOT_CONTAINED')
})

test('processes that end while they are read are no trouble', async () => {
  const child = spawn('sh', ['-c', 'while :; do /bin/true; done'], { stdio: 'ignore' })
  const ended = once(child, 'close')
  try {
    for (let round = 0; round < 10; round++) {
      const seen = findContainers({ host: true }).at(-1)?.processes ?? []
      for (const pid of [process.pid, child.pid]) assert.ok(seen.some((each) => each.pid === pid))
      await wait(1)
    }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
})

/** What `findContainers` finds as an ordinary user, in a process of its own. */
const findAsNobody = (): readonly FoundContainer[] => {
  const library = new URL('../../src/index.js', import.meta.url).href
  const script = `import { findContainers } from ${JSON.stringify(library)}; console.log(JSON.stringify(findContainers()))`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    uid: 65534,
    gid: 65534,
    maxBuffer: 1 << 26,
  })
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout) as readonly FoundContainer[]
}

test(
  "an ordinary user sees others' containers by their pid namespaces, and its own in full",
  needsUnshare,
  async () => {
    await withSleeper(
      ['unshare', '-npf', '--kill-child', 'unshare', '-pf', '--kill-child'],
      async ({ process: sleeper }) => {
        const own = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'unshare', '-Urpf', '--kill-child']
        await withSleeper(own, ({ process: mine }) => {
          const all = findAsNobody()
          const holding = (pid: number): FoundContainer | undefined =>
            all.find(({ processes }) => processes.some((each) => each.pid === pid))
          const other = holding(sleeper.pid)
          assert.equal(other?.namespace, undefined)
          assert.deepEqual(other?.namespaces, [])
          assert.deepEqual(
            other?.processes.map(({ pids }) => pids),
            [sleeper.pids],
          )
          assert.equal(other?.madeBy, 'unshare')
          assert.equal(holding(other?.parent ?? 0)?.processes[0]?.pids.length, 2)
          const found = holding(mine.pid)
          assert.equal(found?.namespace?.kind, 'pid')
          assert.deepEqual(
            found?.namespaces.map(({ kind }) => kind),
            ['pid', 'user'],
          )
          assert.deepEqual(found?.processes.find(({ pid }) => pid === mine.pid)?.uidInside, 0)
        })
      },
    )
  },
)
