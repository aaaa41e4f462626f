// What control groups do to processes, on whichever layout this host has. Needs root; each test names what else.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cgroup, CgroupLimits, CgroupLayout, CreateCgroupOptions } from '../../src/linux/cgroup/index.ts'
import {
  blockDeviceOf,
  cgroupParent,
  createCgroup,
  hierarchyOf,
  openCgroup,
  readCgroupLayout,
  readCgroupOf,
  vacateCgroup,
} from '../../src/linux/cgroup/index.ts'
import { killListed } from '../../src/linux/cgroup/kill.ts'
import { TareError } from '../../src/linux/error.ts'

const MIB = 1024 ** 2
const layout: CgroupLayout = readCgroupLayout()
const root = process.getuid?.() === 0
const directory = mkdtempSync(join(tmpdir(), 'tare-cgroup-'))
const made: Cgroup[] = []
let count = 0

const uniqueName = (): string => `tare-test-${process.pid}-${(count += 1)}`

/** A group of the test's own, removed at the end whatever happens. */
const make = (limits: CgroupLimits, options: CreateCgroupOptions = {}, name: string = uniqueName()): Cgroup => {
  const cgroup = createCgroup(layout, name, limits, options)
  made.push(cgroup)
  return cgroup
}

after(async () => {
  for (const cgroup of made) {
    if (Object.values(cgroup.paths).some((path) => existsSync(path))) {
      await cgroup.kill()
      await cgroup.remove()
    }
  }
  rmSync(directory, { recursive: true, force: true })
})

/** Says aloud that a test is left out, and why; true if it is. */
const lacks = (t: TestContext, ...controllers: readonly string[]): boolean => {
  const missing = controllers.filter((controller) => hierarchyOf(layout, controller) === undefined)
  if (!root) t.skip('needs root')
  else if (missing.length > 0) t.skip(`needs the cgroup controllers ${missing.join(', ')}`)
  return !root || missing.length > 0
}

const version = (controller: string): number => hierarchyOf(layout, controller)?.version ?? 0

const controlFile = (cgroup: Cgroup, controller: string, file: string): string =>
  readFileSync(`${cgroup.directoryOf(controller)}/${file}`, 'utf8').trim()

/** A shell in the group: it joins by the files that the group names, then runs the script. */
const shell = (cgroup: Cgroup, script: string): ChildProcess => {
  const joins = cgroup.joinFiles().map((file) => `echo 0 >'${file}' || exit 99`)
  return spawn('sh', ['-c', [...joins, script].join('\n')], { stdio: ['ignore', 'pipe', 'pipe'] })
}

const finished = async (child: ChildProcess): Promise<{ code: number | null; signal: string | null; out: string }> => {
  let out = ''
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr?.on('data', (data: Buffer) => (out += data.toString()))
  await once(child, 'close')
  return { code: child.exitCode, signal: child.signalCode, out }
}

const until = async (what: string, done: () => boolean): Promise<void> => {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (done()) return
    await sleep(20)
  }
  assert.fail(`${what} did not happen within 10 s`)
}

describe('a cgroup', () => {
  it('is made with its limits, read back, and removed', async (t) => {
    if (lacks(t, 'memory', 'pids', 'cpu')) return
    const cgroup = make({ memory: { max: 64 * MIB }, pids: 20, cpu: { weight: 50, quota: 50_000, period: 100_000 } })
    const read = (controller: string, file: string): string => controlFile(cgroup, controller, file)
    assert.equal(read('memory', version('memory') === 1 ? 'memory.limit_in_bytes' : 'memory.max'), String(64 * MIB))
    assert.equal(read('pids', 'pids.max'), '20')
    if (version('cpu') === 1) assert.equal(read('cpu', 'cpu.cfs_quota_us'), '50000')
    else assert.equal(read('cpu', 'cpu.max'), '50000 100000')
    const stats = cgroup.stats()
    assert.equal(stats.memory?.max, 64 * MIB)
    assert.equal(stats.pids?.max, 20)
    assert.equal(stats.pids?.current, 0)
    await cgroup.remove()
    for (const path of Object.values(cgroup.paths)) assert.ok(!existsSync(path))
    await cgroup.remove() // again is no error
  })

  it('changes limits up and down', (t) => {
    if (lacks(t, 'memory', 'pids', 'cpu')) return
    const cgroup = make({ memory: { max: 64 * MIB }, pids: 20, cpu: { quota: 50_000, period: 100_000 } })
    for (const max of [128 * MIB, 32 * MIB]) {
      cgroup.set({ memory: { max } })
      assert.equal(cgroup.stats().memory?.max, max)
    }
    cgroup.set({ cpu: { period: 20_000 } })
    const quota =
      version('cpu') === 1
        ? controlFile(cgroup, 'cpu', 'cpu.cfs_quota_us')
        : controlFile(cgroup, 'cpu', 'cpu.max').split(' ')[0]
    assert.equal(quota, '50000')
    cgroup.set({ pids: 'max', cpu: { quota: 'max' } })
    assert.equal(controlFile(cgroup, 'pids', 'pids.max'), 'max')
  })

  it('limits swap, raised and lowered together with memory', (t) => {
    if (lacks(t, 'memory')) return
    const cgroup = make({ memory: { max: 32 * MIB } })
    const file = version('memory') === 1 ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max'
    if (!existsSync(`${cgroup.directoryOf('memory')}/${file}`)) return t.skip('needs a kernel that accounts for swap')
    for (const [max, swap] of [
      [16, 8],
      [64, 4],
      [16, 0],
    ] as const) {
      cgroup.set({ memory: { max: max * MIB, swap: swap * MIB } })
      const expected = version('memory') === 1 ? max + swap : swap
      assert.equal(controlFile(cgroup, 'memory', file), String(expected * MIB))
    }
  })

  it('is found again by its paths', async (t) => {
    if (lacks(t, 'pids')) return
    const cgroup = make({ pids: 7 })
    const again = openCgroup(layout, JSON.parse(JSON.stringify(cgroup.paths)))
    assert.equal(again.stats().pids?.max, 7)
    await again.remove()
    for (const path of Object.values(cgroup.paths)) assert.ok(!existsSync(path))
  })

  it('refuses a name that is taken, and leaves that group alone', (t) => {
    if (lacks(t, 'pids')) return
    const name = uniqueName()
    const first = make({ pids: 7 }, {}, name)
    assert.throws(() => make({ pids: 8 }, {}, name), { code: 'EEXIST' })
    assert.equal(first.stats().pids?.max, 7)
    assert.equal(make({ pids: 9 }, { existing: 'use' }, name).stats().pids?.max, 9)
  })

  it('leaves nothing behind when a limit is refused', (t) => {
    if (lacks(t, 'pids', 'cpuset')) return
    const name = uniqueName()
    const error = {
      code: /^(EINVAL|ERANGE|EACCES)$/,
      message: /cannot write 4000 to cpuset.cpus of .*\nThat was to run on processors 4000 only/,
    }
    assert.throws(
      () => make({ pids: 7, cpuset: { cpus: '4000' } }, {}, `${name}/below`),
      (thrown) => {
        assert.ok(thrown instanceof TareError)
        assert.match(thrown.code, error.code)
        assert.match(thrown.message, error.message)
        return true
      },
    )
    for (const { mountPoint } of layout.hierarchies) assert.ok(!existsSync(`${mountPoint}/${name}`), mountPoint)
  })

  it('has a cpuset that lets processes in', async (t) => {
    if (lacks(t, 'cpuset')) return
    const cgroup = make({ cpuset: { cpus: '0' } }, {}, `${uniqueName()}/below`)
    const { code, out } = await finished(shell(cgroup, 'grep Cpus_allowed_list /proc/self/status'))
    assert.equal(code, 0, out)
    assert.match(out, /Cpus_allowed_list:\s+0\n/)
    await cgroup.remove()
    for (const path of Object.values(cgroup.paths)) rmdirSync(join(path, '..'))
  })

  it('takes in a process with all its threads', async (t) => {
    if (lacks(t, 'pids')) return
    const cgroup = make({ pids: 50 })
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    await once(child.stdout, 'data')
    cgroup.add(child.pid ?? 0)
    assert.deepEqual(cgroup.processes(), [child.pid])
    assert.ok((cgroup.stats().pids?.current ?? 0) > 3, 'a Node process has several threads')
    assert.ok([...readCgroupOf(child.pid ?? 0).values()].some((path) => path.includes('tare-test-')))
    assert.equal(cgroup.populated, true)
    await cgroup.kill()
    assert.deepEqual(cgroup.processes(), [])
    assert.equal(cgroup.populated, false)
  })
})

describe('limits of a cgroup', () => {
  it('memory: what takes more is killed', async (t) => {
    if (lacks(t, 'memory')) return
    const cgroup = make({ memory: { max: 32 * MIB } })
    if (version('memory') === 2) cgroup.set({ memory: { swap: 0 } })
    const { signal, code } = await finished(shell(cgroup, 'exec dd if=/dev/zero of=/dev/null bs=256M count=1'))
    assert.deepEqual({ signal, code }, { signal: 'SIGKILL', code: null })
    assert.equal(cgroup.oomEvents()?.oomKill, 1)
    assert.equal(cgroup.stats().memory?.events.oomKill, 1)
    const fits = await finished(shell(cgroup, 'exec dd if=/dev/zero of=/dev/null bs=8M count=1'))
    assert.equal(fits.code, 0, fits.out)
  })

  it('pids: no more can be started', async (t) => {
    if (lacks(t, 'pids')) return
    const cgroup = make({ pids: 3 })
    const { out } = await finished(shell(cgroup, 'sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait'))
    assert.match(out, /fork/i)
    assert.ok((cgroup.stats().pids?.refused ?? 0) > 0)
  })

  it('cpu quota: a hog gets its part', async (t) => {
    if (lacks(t, 'cpu', 'cpuacct')) return
    const cgroup = make({ cpu: { quota: 20_000, period: 100_000 } }, { controllers: ['cpuacct'] })
    const hog = shell(cgroup, 'while :; do :; done')
    await until('the hog runs', () => (cgroup.stats().cpu?.usage ?? 0) > 20_000)
    const [from, start] = [cgroup.stats().cpu?.usage ?? 0, performance.now()]
    await sleep(2000)
    const share = ((cgroup.stats().cpu?.usage ?? 0) - from) / 1000 / (performance.now() - start)
    hog.kill('SIGKILL')
    assert.ok(share < 0.25, `it got ${share} of a processor, not at most 0.2`)
    assert.ok((cgroup.stats().cpu?.throttling?.throttled ?? 0) > 5)
  })

  it('block I/O: writes are slowed down', async (t) => {
    if (lacks(t, 'io')) return
    const file = '/var/tmp/tare-test-' + process.pid
    writeFileSync(file, '')
    t.after(() => rmSync(file))
    let device
    try {
      device = blockDeviceOf(file)
    } catch {
      return t.skip('needs /var/tmp on a block device')
    }
    const cgroup = make({ io: { devices: [{ ...device, writeBytes: MIB }] } })
    const start = performance.now()
    const { code, out } = await finished(
      shell(cgroup, `exec dd if=/dev/zero of=${file} bs=64k count=32 oflag=direct conv=notrunc`),
    )
    assert.equal(code, 0, out)
    const took = performance.now() - start
    assert.ok(took > 1500, `2 MiB at 1 MiB/s took ${took} ms`)
    const stats = cgroup.stats().io?.find(({ major, minor }) => major === device.major && minor === device.minor)
    assert.ok((stats?.writeBytes ?? 0) >= 2 * MIB)
  })

  it('block I/O: limits and weights are in the files', (t) => {
    if (lacks(t, 'io')) return
    const disk = readFileSync('/proc/partitions', 'utf8').match(/^ +(\d+) +(\d+) +\d+ (?:vda|sda|nvme0n1)$/m)
    const nbd = existsSync('/sys/block/nbd0')
    if (disk === null && !nbd) return t.skip('needs a disk vda, sda, nvme0n1 or nbd0')
    const [major, minor] = disk === null ? [43, 0] : [Number(disk[1]), Number(disk[2])]
    const cgroup = make({ io: { weight: 200, devices: [{ major, minor, readBytes: MIB, writeOps: 100 }] } })
    if (version('io') === 1) {
      assert.equal(controlFile(cgroup, 'io', 'blkio.throttle.read_bps_device'), `${major}:${minor} ${MIB}`)
      assert.equal(controlFile(cgroup, 'io', 'blkio.bfq.weight'), '200')
    } else {
      assert.equal(controlFile(cgroup, 'io', 'io.max'), `${major}:${minor} rbps=${MIB} wbps=max riops=max wiops=100`)
      const [file, value] = existsSync(`${cgroup.unified}/io.weight`)
        ? ['io.weight', 'default 200']
        : ['io.bfq.weight', '200']
      assert.ok(controlFile(cgroup, 'io', file).includes(value))
    }
    cgroup.set({ io: { devices: [{ major, minor, readBytes: 'max', writeOps: 'max' }] } })
    assert.equal(controlFile(cgroup, 'io', version('io') === 1 ? 'blkio.throttle.read_bps_device' : 'io.max'), '')
  })

  it('huge pages', (t) => {
    if (lacks(t, 'hugetlb')) return
    if (!existsSync('/sys/kernel/mm/hugepages/hugepages-2048kB')) return t.skip('needs huge pages of 2 MiB')
    const cgroup = make({ hugetlb: [{ pageSize: '2MB', max: 4 * MIB }] })
    assert.deepEqual(
      cgroup.stats().hugetlb?.find(({ pageSize }) => pageSize === '2MB'),
      {
        pageSize: '2MB',
        current: 0,
        max: 4 * MIB,
        refused: 0,
      },
    )
  })

  it('the unified map is written', (t) => {
    if (lacks(t, 'unified')) return
    const cgroup = make({ unified: { 'cgroup.max.depth': '3' } })
    assert.equal(readFileSync(`${cgroup.unified}/cgroup.max.depth`, 'utf8').trim(), '3')
  })
})

describe('device rules', () => {
  const list = [
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 5, access: 'r' },
  ] as const
  const script = [
    'cat /dev/null && echo null-read',
    ': >/dev/null && echo null-write',
    'head -c 1 /dev/zero >/dev/null && echo zero-read',
    '(: >/dev/zero) && echo zero-write',
    'head -c 1 /dev/urandom >/dev/null && echo urandom-read',
    `mknod ${directory}/null c 1 3 && rm ${directory}/null && echo null-make`,
    `mknod ${directory}/zero c 1 5 && rm ${directory}/zero && echo zero-make`,
    'exit 0',
  ].join('\n')
  const words = (out: string): readonly string[] => out.split('\n').filter((line) => /^\w+-\w+$/.test(line))

  const check = async (t: TestContext, where: CgroupLayout): Promise<void> => {
    const cgroup = createCgroup(where, uniqueName(), { devices: list })
    made.push(cgroup)
    const first = await finished(shell(cgroup, script))
    assert.deepEqual(words(first.out), ['null-read', 'null-write', 'zero-read', 'null-make'], first.out)
    // Replaced, not added to: with both in force nothing but the intersection would be allowed.
    cgroup.set({ devices: [{ allow: true, type: 'c', major: 1, access: 'rw' }] })
    const second = await finished(shell(cgroup, script))
    assert.deepEqual(
      words(second.out),
      ['null-read', 'null-write', 'zero-read', 'zero-write', 'urandom-read'],
      second.out,
    )
    cgroup.set({
      devices: [
        { allow: true, type: 'a', access: 'rwm' },
        { allow: false, type: 'c', major: 1, minor: 5, access: 'w' },
      ],
    })
    const third = await finished(shell(cgroup, script))
    assert.deepEqual(
      words(third.out),
      ['null-read', 'null-write', 'zero-read', 'urandom-read', 'null-make', 'zero-make'],
      third.out,
    )
    t.diagnostic(`on cgroup version ${hierarchyOf(where, 'devices')?.version}`)
  }

  it('hold where this host has the devices controller', async (t) => {
    if (lacks(t, 'devices')) return
    await check(t, layout)
  })

  it('hold as a program on a version 2 hierarchy without controllers', async (t) => {
    if (lacks(t, 'unified')) return
    const hierarchies = layout.hierarchies.filter((hierarchy) => hierarchy.version === 2)
    await check(t, { kind: 'v2', hierarchies })
  })
})

describe('the processes of a cgroup', () => {
  const counter = (file: string): string => `i=0; while :; do i=$((i+1)); echo $i >${file}; done`

  it('stop when frozen and go on when thawed', async (t) => {
    if (lacks(t, 'freezer')) return
    const cgroup = make({}, { controllers: ['freezer'] })
    const file = join(directory, 'count')
    const child = shell(cgroup, counter(file))
    const done = finished(child)
    const value = (): string => readFileSync(file, 'utf8')
    await until('it counts', () => existsSync(file) && value() !== '')
    await cgroup.freeze()
    assert.equal(cgroup.frozen, true)
    const stopped = value()
    await sleep(200)
    assert.equal(value(), stopped)
    cgroup.thaw()
    await until('it goes on', () => value() !== stopped && value() !== '')
    assert.equal(cgroup.frozen, false)
    await cgroup.freeze()
    await cgroup.kill() // frozen ones too
    assert.equal((await done).signal, 'SIGKILL')
    await cgroup.remove()
  })

  it('die together, those below and those who fork too', async (t) => {
    if (lacks(t, 'pids', 'freezer')) return
    const cgroup = make({ pids: 60 }, { controllers: ['freezer'] })
    for (const path of Object.values(cgroup.paths)) mkdirSync(`${path}/below`)
    const below = openCgroup(
      layout,
      Object.fromEntries(Object.entries(cgroup.paths).map(([name, path]) => [name, `${path}/below`])),
    )
    const done = finished(shell(below, 'f() { sleep 100 & (f) & wait; }; f'))
    await until('there are many', () => (cgroup.stats().pids?.current ?? 0) > 30)
    assert.ok(cgroup.processes().length > 30)
    await cgroup.kill()
    assert.equal((await done).signal, 'SIGKILL')
    assert.deepEqual(cgroup.processes(), [])
    await cgroup.remove() // with the group below
    for (const path of Object.values(cgroup.paths)) assert.ok(!existsSync(path))
  })

  it('die in groups whose names are no text, too, and those are removed', async (t) => {
    if (lacks(t, 'pids')) return
    const cgroup = make({}, { controllers: ['pids'] })
    const [path = ''] = Object.values(cgroup.paths)
    const below = Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff), Buffer.from('/a')])
    mkdirSync(below, { recursive: true })
    const child = spawn('sleep', ['1000'])
    const ended = once(child, 'close')
    writeFileSync(Buffer.concat([below, Buffer.from('/cgroup.procs')]), String(child.pid))
    assert.deepEqual(cgroup.allProcesses(), [child.pid])
    await cgroup.kill()
    assert.deepEqual(await ended, [null, 'SIGKILL'])
    await cgroup.remove()
    assert.equal(existsSync(path), false)
  })

  it('are killed only while they are in it', async () => {
    const [child, other] = [spawn('sleep', ['1000']), spawn('sleep', ['1000'])]
    const ended = once(child, 'close')
    const [pid = 0, gone = 0] = [child.pid, other.pid]
    const lists = [[pid, gone], [pid]]
    assert.equal(
      killListed(() => lists.shift() ?? []),
      2,
    )
    assert.deepEqual(await ended, [null, 'SIGKILL'])
    assert.equal(other.signalCode, null)
    const otherEnded = once(other, 'close')
    other.kill('SIGTERM')
    assert.deepEqual(await otherEnded, [null, 'SIGTERM'], 'it was not killed, as it had left')
  })

  it('just exiting do not keep it from being removed', async (t) => {
    if (lacks(t, 'pids')) return
    for (let round = 0; round < 20; round += 1) {
      const cgroup = make({ pids: 20 })
      const child = shell(cgroup, 'echo; exec sleep 100')
      await once(child.stdout ?? assert.fail(), 'data')
      child.kill('SIGKILL')
      await cgroup.remove()
      for (const path of Object.values(cgroup.paths)) assert.ok(!existsSync(path))
    }
  })

  it('keep it from being removed, and are named', async (t) => {
    if (lacks(t, 'pids')) return
    const cgroup = make({ pids: 20 })
    const child = shell(cgroup, 'echo; exec sleep 100')
    await once(child.stdout ?? assert.fail(), 'data')
    await assert.rejects(cgroup.remove({ timeout: 50 }), {
      code: 'EBUSY',
      message: new RegExp(`^cannot remove cgroup .*: EBUSY .*\nProcesses are in it: ${child.pid}\\.`),
    })
    await cgroup.kill()
  })
})

describe('version 2', () => {
  it('says why a group with processes gives no controllers', async (t) => {
    if (lacks(t, 'unified', 'pids', 'memory')) return
    if (version('pids') !== 2) return t.skip('needs the pids controller on cgroup v2')
    const name = uniqueName()
    const parent = make({}, {}, name)
    const child = shell(parent, 'echo; exec sleep 100')
    await once(child.stdout ?? assert.fail(), 'data')
    for (const controller of ['pids', 'memory']) {
      assert.throws(() => make({}, { controllers: [controller] }, `${name}/child`), {
        code: 'EBUSY',
        message: new RegExp(`cannot enable ${controller} below .*: EBUSY .*\nProcesses are in that group itself`),
      })
    }
    assert.ok(!existsSync(`${parent.unified}/child`))
    assert.equal(controlFile(parent, 'unified', 'cgroup.subtree_control'), '')
    const leaf = vacateCgroup(layout, name, 'leaf', ['pids'])
    assert.equal(readFileSync(`${leaf}/cgroup.procs`, 'utf8').trim(), String(child.pid))
    const sibling = make({ pids: 3 }, {}, `${name}/child`)
    assert.equal(sibling.stats().pids?.max, 3)
    assert.equal((await finished(shell(sibling, 'exit 7'))).code, 7)
    await parent.kill()
    await parent.remove()
  })

  it('enables a controller that is only asked for', async (t) => {
    if (lacks(t, 'unified', 'memory')) return
    if (version('memory') !== 2) return t.skip('needs the memory controller on cgroup v2')
    const name = uniqueName()
    const cgroup = make({}, { controllers: ['memory'] }, `${name}/deep/down`)
    assert.equal(typeof cgroup.stats().memory?.current, 'number')
    await cgroup.remove()
    await openCgroup(layout, { unified: `${hierarchyOf(layout, 'unified')?.mountPoint}/${name}` }).remove()
  })

  it('keeps pressure files, where the kernel does', (t) => {
    if (lacks(t, 'unified')) return
    const cgroup = make({}, { controllers: ['unified'] })
    if (!existsSync(`${cgroup.unified}/cpu.pressure`)) return t.skip('needs pressure stall information')
    assert.equal(cgroup.stats().pressure?.cpu?.some?.total, 0)
  })
})

describe('the place for cgroups', () => {
  it('is below the root for root', (t) => {
    if (lacks(t, 'pids')) return
    assert.equal(cgroupParent(layout, ['pids']), 'tare')
  })

  it('is told to a user who has none', async (t) => {
    if (lacks(t, 'pids')) return
    const module = join(import.meta.dirname, '../../src/linux/cgroup/index.js')
    const script = `process.setgroups([]); process.setgid(65534); process.setuid(65534)
      const { cgroupParent, readCgroupLayout } = await import(${JSON.stringify(module)})
      try { console.log(cgroupParent(readCgroupLayout(), ['pids'])) } catch (error) { console.log(error.code, error.message) }`
    // The files are made readable to all by a checkout below a directory that is; else there is nothing to load.
    if ((statSync(module).mode & 4) === 0) return t.skip('needs a checkout that everybody may read')
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
    const { out } = await finished(child)
    assert.match(out, /^ERR_TARE_INPUT cannot find a place for cgroups: .*\n(Run as root)/)
  })

  it('is the subtree that was delegated', async (t) => {
    if (lacks(t, 'unified', 'pids')) return
    if (version('pids') !== 2) return t.skip('needs the pids controller on cgroup v2')
    const name = uniqueName()
    const parent = make({}, { controllers: ['pids'] }, name)
    const own = make({}, {}, `${name}/own`)
    const { chownSync } = await import('node:fs')
    for (const file of ['', '/cgroup.procs', '/cgroup.subtree_control', '/cgroup.threads']) {
      for (const at of [parent, own]) chownSync(`${at.unified}${file}`, 65534, 65534)
    }
    const module = join(import.meta.dirname, '../../src/linux/cgroup/index.js')
    const script = `process.setgroups([]); process.setgid(65534); process.setuid(65534)
      const { cgroupParent, createCgroup, readCgroupLayout } = await import(${JSON.stringify(module)})
      const layout = readCgroupLayout()
      console.log(cgroupParent(layout), cgroupParent(layout, ['pids']))
      const cgroup = createCgroup(layout, cgroupParent(layout, ['pids']) + '/new', { pids: 5 })
      cgroup.add(process.pid)
      console.log(cgroup.stats().pids.max, cgroup.processes().length)`
    const { out } = await finished(
      shell(own, `exec ${process.execPath} --input-type=module -e '${script.replaceAll("'", '"')}'`),
    )
    assert.equal(out, `${name}/own ${name}\n5 1\n`)
    await parent.remove()
  })

  it('is not a delegated group that this process itself is in, until it is vacated', async (t) => {
    if (lacks(t, 'unified', 'pids')) return
    if (version('pids') !== 2) return t.skip('needs the pids controller on cgroup v2')
    const name = uniqueName()
    const own = make({}, { controllers: ['pids'] }, name)
    const { chownSync } = await import('node:fs')
    for (const file of ['', '/cgroup.procs', '/cgroup.subtree_control'])
      chownSync(`${own.unified}${file}`, 65534, 65534)
    const module = join(import.meta.dirname, '../../src/linux/cgroup/index.js')
    const script = `process.setgroups([]); process.setgid(65534); process.setuid(65534)
      const { cgroupParent, createCgroup, readCgroupLayout, vacateCgroup } = await import(${JSON.stringify(module)})
      const layout = readCgroupLayout()
      try { cgroupParent(layout, ["pids"]) } catch (error) { console.log(error.code, error.message) }
      vacateCgroup(layout, "${name}", "main", ["pids"])
      const parent = "${name}"
      console.log(cgroupParent(layout, ["pids"]), createCgroup(layout, parent + "/new", { pids: 5 }).stats().pids.max)`
    const { out } = await finished(shell(own, `exec ${process.execPath} --input-type=module -e '${script}'`))
    assert.match(
      out,
      new RegExp(
        `^ERR_TARE_INPUT .* the group of this process, ${name}, is delegated .* processes of its own\n.*\n${name} 5\n$`,
      ),
    )
    await own.remove()
  })
})
