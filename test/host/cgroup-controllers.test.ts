// Every controller, by what it does to processes: on whichever layout this host has. Needs root; each test names what else.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCgroup, makeCgroup, removeCgroup, setCgroup } from '../../src/index.ts'
import type { Cgroup } from '../../src/linux/index.ts'
import { hierarchyOf, packetMatch, readCgroupLayout } from '../../src/linux/index.ts'

const layout = readCgroupLayout()
const directory = mkdtempSync(join(tmpdir(), 'tare-controllers-'))
const made: string[] = []
let count = 0

after(async () => {
  for (const name of made) {
    if (layout.hierarchies.some(({ mountPoint }) => existsSync(`${mountPoint}${name}`)))
      await removeCgroup(name, { recursive: true, kill: true })
  }
  rmSync(directory, { recursive: true, force: true })
})

/** Says aloud that a test is left out, and why; true if it is. */
const lacks = (t: TestContext, controllers: readonly string[], programs: readonly string[] = []): boolean => {
  const missing = controllers.filter((controller) => hierarchyOf(layout, controller) === undefined)
  const absent = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)
  const reason =
    process.getuid?.() !== 0
      ? 'root'
      : missing.length > 0
        ? `the cgroup controllers ${missing.join(', ')}`
        : absent.length > 0
          ? `the programs ${absent.join(', ')}`
          : undefined
  if (reason !== undefined) t.skip(`needs ${reason}`)
  return reason !== undefined
}

const version = (controller: string): number => hierarchyOf(layout, controller)?.version ?? 0

const make = (...settings: readonly string[]): Cgroup => {
  const name = `/tare-controllers-${process.pid}-${(count += 1)}`
  made.push(name)
  return makeCgroup(name, { settings })
}

const shell = (cgroup: Cgroup, script: string): ChildProcess => {
  const joins = cgroup.joinFiles().map((file) => `echo 0 >'${file}' || exit 99`)
  return spawn('bash', ['-c', [...joins, script].join('\n')], { stdio: ['ignore', 'pipe', 'pipe'] })
}

const finished = async (child: ChildProcess): Promise<{ code: number | null; out: string }> => {
  let out = ''
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr?.on('data', (data: Buffer) => (out += data.toString()))
  await once(child, 'close')
  return { code: child.exitCode, out }
}

const until = async (what: string, done: () => boolean): Promise<void> => {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    if (done()) return
    await sleep(20)
  }
  assert.fail(`${what} did not happen within 10 s`)
}

/** A number of a file of names and numbers: `nr_bursts` of cpu.stat. */
const counter = (cgroup: Cgroup, file: string, name: string): number => {
  const text = getCgroup(cgroup.name, [file])[0]?.text ?? ''
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}

/** A loop device of 16 GiB of holes with a scheduler, which goes with the test. */
const loopDevice = (t: TestContext, scheduler: string): string => {
  // In memory, where holes that are read take no room.
  const file = join('/dev/shm', `tare-controllers-${process.pid}-${(count += 1)}`)
  writeFileSync(file, '')
  t.after(() => rmSync(file))
  truncateSync(file, 16 * 1024 ** 3)
  const { stdout, status, stderr } = spawnSync('losetup', ['-f', '--show', file], { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const device = stdout.trim()
  const path = `/sys/block/${device.slice('/dev/'.length)}/queue/scheduler`
  const before = /\[(\S+)\]/.exec(readFileSync(path, 'utf8'))?.[1] ?? 'none'
  writeFileSync(path, scheduler)
  // It would let whoever starts have more than what it weighs, for a while.
  const tune = (name: string, value: string): void =>
    writeFileSync(path.replace(/scheduler$/, `iosched/${name}`), value)
  if (scheduler === 'bfq') tune('low_latency', '0')
  // So long it waits for the next request of a reader, which on a busy machine has to wait for a processor first.
  if (scheduler === 'bfq') tune('slice_idle', '100')
  t.after(() => {
    writeFileSync(path, before)
    spawnSync('losetup', ['-d', device])
  })
  return device
}

describe('cpu', () => {
  it('weights: two hogs on one processor get what they weigh', async (t) => {
    if (lacks(t, ['cpu', 'cpuacct'], ['taskset'])) return
    const [light, heavy] = [make('cpu-weight=100'), make('cpu-weight=500')]
    const hog = "exec taskset -c 0 sh -c 'while :; do :; done'"
    for (const child of [shell(light, hog), shell(heavy, hog)]) t.after(() => child.kill('SIGKILL'))
    const usage = (cgroup: Cgroup): number => cgroup.stats().cpu?.usage ?? 0
    await until('both run', () => usage(light) > 20_000 && usage(heavy) > 20_000)
    const ratios: number[] = []
    for (let round = 0; round < 4 && !ratios.some((ratio) => ratio > 2.5 && ratio < 10); round += 1) {
      const before = [usage(light), usage(heavy)]
      await sleep(1000)
      ratios.push((usage(heavy) - (before[1] ?? 0)) / (usage(light) - (before[0] ?? 0)))
    }
    const [last = Number.NaN] = ratios.slice(-1)
    assert.ok(last > 2.5 && last < 10, `five times the weight had ${ratios.join(', ')} times the share`)
  })

  it('burst: what was not used is spent later', async (t) => {
    if (lacks(t, ['cpu'])) return
    const cgroup = make('cpus=0.1', 'cpu-burst=10ms')
    const busy = 'end=$((${EPOCHREALTIME/./} + 40000)); while ((${EPOCHREALTIME/./} < end)); do :; done'
    const rounds = `for n in 1 2 3 4; do sleep 0.3; ${busy}; done`
    assert.equal((await finished(shell(cgroup, rounds))).code, 0)
    assert.ok(counter(cgroup, 'cpu.stat', 'nr_bursts') > 0)
  })

  it('accounting: what a group has used is what its processes have', async (t) => {
    if (lacks(t, ['cpuacct'])) return
    const cgroup = make()
    const { out } = await finished(shell(cgroup, 'times; for ((i = 0; i < 100000; i++)); do :; done; times'))
    // Of the shell itself, before and after; its children are on the other lines.
    const [before = Number.NaN, , later = Number.NaN] = Array.from(
      out.matchAll(/^\d+m([\d.]+)s \d+m([\d.]+)s$/gm),
      ([, user, system]) => (Number(user) + Number(system)) * 1e6,
    )
    const own = later - before
    const used = cgroup.stats().cpu?.usage ?? 0
    assert.ok(own > 20_000 && used > 0.8 * own, `${used} µs are less than the ${own} µs of its shell`)
    const file = version('cpuacct') === 1 ? 'cpuacct.usage' : 'cpu.stat'
    assert.match(getCgroup(cgroup.name, [file])[0]?.words ?? '', /^\d/)
  })
})

describe('memory', () => {
  it('high: above it processes are slowed down, not killed', async (t) => {
    if (lacks(t, ['memory'])) return
    if (version('memory') !== 2) return t.skip('needs the memory controller on cgroup v2')
    const cgroup = make('memory-high=16MiB')
    const child = shell(cgroup, 'exec dd if=/dev/zero of=/dev/null bs=32M count=1')
    t.after(() => child.kill('SIGKILL'))
    await until('it is held back', () => counter(cgroup, 'memory.events', 'high') > 0)
    assert.equal(counter(cgroup, 'memory.events', 'oom_kill'), 0)
  })

  it('soft: is set and told, and does not keep the group from using more', async (t) => {
    if (lacks(t, ['memory'])) return
    const cgroup = make('memory-soft=4MiB')
    const file = version('memory') === 1 ? 'memory.soft_limit_in_bytes' : 'memory.low'
    assert.equal(getCgroup(cgroup.name, [file])[0]?.words, '4MiB')
    const { code, out } = await finished(shell(cgroup, 'exec dd if=/dev/zero of=/dev/null bs=16M count=1'))
    assert.equal(code, 0, out)
    assert.ok((cgroup.stats().memory?.peak ?? Number.POSITIVE_INFINITY) > 16 * 1024 ** 2)
  })

  it('oom-kill=off: what is out of memory waits, and goes on when there is more', async (t) => {
    if (lacks(t, ['memory'])) return
    if (version('memory') !== 1) return t.skip('needs the memory controller on cgroup v1')
    const cgroup = make('memory=8MiB', 'swap=0', 'oom-kill=off')
    // In a system call it would not wait, but get ENOMEM.
    const done = finished(shell(cgroup, 'a=x; for ((i = 0; i < 24; i++)); do a=$a$a; done'))
    await until('it waits', () => counter(cgroup, 'memory.oom_control', 'under_oom') === 1)
    setCgroup(cgroup.name, ['memory=128MiB', 'swap=0'])
    assert.equal((await done).code, 0)
    assert.equal(counter(cgroup, 'memory.oom_control', 'oom_kill'), 0)
  })
})

describe('block I/O', () => {
  const seconds = async (cgroup: Cgroup, dd: string): Promise<number> => {
    const start = performance.now()
    const { code, out } = await finished(shell(cgroup, `exec dd ${dd}`))
    assert.equal(code, 0, out)
    return (performance.now() - start) / 1000
  }

  it('speeds and operations a second, each way', async (t) => {
    if (lacks(t, ['io'], ['losetup'])) return
    const device = loopDevice(t, 'none')
    const limits = [
      `read-bps=${device}:1MiB`,
      `write-bps=${device}:1MiB`,
      `read-iops=${device}:20`,
      `write-iops=${device}:20`,
    ]
    const [readBytes, writeBytes, readOps, writeOps] = limits.map((limit) => make(limit))
    const groups = [readBytes, writeBytes, readOps, writeOps].map((cgroup) => cgroup ?? assert.fail())
    const [big, small] = ['bs=64k count=24', 'bs=4k count=30']
    const jobs = [
      `if=${device} of=/dev/null iflag=direct ${big}`,
      `if=/dev/zero of=${device} oflag=direct conv=notrunc ${big}`,
      `if=${device} of=/dev/null iflag=direct ${small}`,
      `if=/dev/zero of=${device} oflag=direct conv=notrunc ${small}`,
    ]
    const took = await Promise.all(groups.map((cgroup, index) => seconds(cgroup, jobs[index] ?? '')))
    for (const [index, time] of took.entries()) {
      assert.ok(time > 1.2, `${limits[index]}: it took ${time} s, not 1.5`)
      const name = groups[index]?.name ?? ''
      // It is told as it was set, and taken away by the same key.
      const [key = '', value = ''] = limits[index]?.split('=') ?? []
      setCgroup(name, [`${key}=${device}:max`])
      assert.doesNotMatch(getCgroup(name, [key])[0]?.text ?? '', new RegExp(value.split(':').at(-1) ?? ''))
    }
  })

  it('weights, where the scheduler is BFQ', async (t) => {
    if (lacks(t, ['io'], ['losetup', 'timeout'])) return
    if (availableParallelism() < 2)
      return t.skip('needs two processors, or readers wait for those rather than the disk')
    const device = loopDevice(t, 'bfq')
    const read = `exec timeout 1 dd if=${device} of=/dev/null iflag=direct bs=1M`
    const ratio = async (): Promise<number> => {
      const groups = [make('io-weight=100'), make('io-weight=1000')]
      await Promise.all(groups.map((cgroup) => finished(shell(cgroup, read))))
      const [small = 0, large = 0] = groups.map(
        (cgroup) => cgroup.stats().io?.reduce((sum, { readBytes }) => sum + readBytes, 0) ?? 0,
      )
      return large / small
    }
    // On a busy machine the readers may wait for a processor instead: then there is nothing to share out.
    const ratios: number[] = []
    while (ratios.length < 4 && !ratios.some((each) => each > 2)) ratios.push(await ratio())
    assert.ok(
      ratios.some((each) => each > 2),
      `ten times the weight had only ${ratios.join(', ')} times the share`,
    )
  })
})

describe('devices', () => {
  it('are those of the list, whatever the permissions of their files are', async (t) => {
    if (lacks(t, ['devices'])) return
    const cgroup = make('devices=/dev/null:rw,/dev/urandom:r')
    const script = `exec 2>/dev/null
      head -c 1 /dev/urandom >/dev/null && echo urandom
      (: >/dev/urandom) && echo urandom-write
      head -c 1 /dev/zero >/dev/null && echo zero
      mknod ${directory}/null c 1 3 && echo make
      exit 0`
    assert.equal((await finished(shell(cgroup, script))).out, 'urandom\n')
    setCgroup(cgroup.name, ['devices=standard'])
    assert.equal((await finished(shell(cgroup, script))).out, 'urandom\nurandom-write\nzero\nmake\n')
    rmSync(join(directory, 'null'))
    // What the kernel refuses later takes nothing along: the devices are as they were.
    assert.throws(() => setCgroup(cgroup.name, ['devices=none', 'cpuset.cpus=4000']))
    assert.match((await finished(shell(cgroup, script))).out, /^zero$/m)
    rmSync(join(directory, 'null'))
  })
})

describe('huge pages', () => {
  it('are refused above the limit', async (t) => {
    if (lacks(t, ['hugetlb'], ['fallocate'])) return
    const pages = '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'
    if (!existsSync(pages)) return t.skip('needs huge pages of 2 MiB')
    const before = readFileSync(pages, 'utf8')
    writeFileSync(pages, String(Number(before) + 4))
    t.after(() => writeFileSync(pages, before))
    if (Number(readFileSync(pages, 'utf8')) < Number(before) + 4) return t.skip('needs 8 MiB of memory in one piece')
    const cgroup = make('hugetlb-2MB=4MiB')
    const mount = join(directory, 'huge')
    const script = `mkdir ${mount}; mount -t hugetlbfs -o pagesize=2M tare-test ${mount}
      fallocate -l 4M ${mount}/fits && echo fits
      fallocate -l 4M ${mount}/more && echo more
      exit 0`
    const { out } = await finished(shell(cgroup, `exec unshare -m bash -c '${script}'`))
    assert.match(out, /^fits$/m)
    assert.doesNotMatch(out, /^more$/m)
    assert.ok((cgroup.stats().hugetlb?.find(({ pageSize }) => pageSize === '2MB')?.refused ?? 0) > 0)
  })
})

describe('threads', () => {
  it('move one by one', async (t) => {
    if (lacks(t, ['cpu'])) return
    const parent = make()
    const child = makeCgroup(`${parent.name}/threads`, {
      settings: version('cpu') === 2 ? ['cgroup.type=threaded'] : [],
      ...(version('cpu') === 2 ? { controllers: [] } : {}),
    })
    const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    t.after(() => node.kill('SIGKILL'))
    await once(node.stdout, 'data')
    const pid = node.pid ?? assert.fail()
    parent.add(pid)
    const tids = readdirSync(`/proc/${pid}/task`).map(Number)
    const [last = 0] = tids.slice(-1)
    child.addThreads(last)
    const where = (tid: number): string => readFileSync(`/proc/${pid}/task/${tid}/cgroup`, 'utf8')
    assert.match(where(last), new RegExp(`:${child.name}$`, 'm'))
    assert.doesNotMatch(where(pid), new RegExp(`:${child.name}$`, 'm'))
    await parent.kill()
  })

  it('do not move into a group of version 2 that is not threaded', async (t) => {
    if (lacks(t, ['unified'])) return
    if (version('cpu') !== 2) return t.skip('needs pure cgroup v2')
    const cgroup = make()
    const sleeper = spawn('sleep', ['100'], { stdio: 'ignore' })
    t.after(() => sleeper.kill('SIGKILL'))
    assert.throws(() => cgroup.addThreads(sleeper.pid ?? 0), {
      code: 'EOPNOTSUPP',
      message: /\nOn version 2 single threads move only into threaded groups: set cgroup\.type=threaded first\.$/,
    })
  })
})

describe('packets of a group are matched by a packet filter', () => {
  /** A script in mount and network namespaces of its own, where control groups may be mounted as it likes. */
  const inNamespaces = (script: string): string => {
    const tare = `${process.execPath} -- ${join(import.meta.dirname, '../../../bin/tare')}`
    const text = `set -e; ip link set lo up; tare() { ${tare} "$@"; }\n${script}`
    const { stdout, stderr, status } = spawnSync('unshare', ['-mn', 'bash', '-c', text], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    return stdout
  }
  const send = 'echo x >/dev/udp/127.0.0.1/9'
  const rules = (match: string): string =>
    `nft "table inet t { chain c { type filter hook output priority 0; ${match} counter drop; }; }"`
  const counted = (out: string): string | undefined => /counter packets (\d+)/.exec(out)?.[1]

  it('by its class, on version 1', (t) => {
    if (lacks(t, [], ['nft', 'ip', 'unshare'])) return
    const kernel = layout.kernelControllers?.().get('net_cls') === true
    if (!kernel) return t.skip('needs net_cls in the kernel, which is version 1 only')
    const name = `/tare-controllers-${process.pid}-class`
    const mount = join(directory, 'net_cls')
    // The kernel takes the hierarchy apart by itself when it is unmounted without groups.
    const out = inNamespaces(`
      mkdir ${mount}; mount -t cgroup -o net_cls tare-test ${mount}
      tare cgroup create -q -c net_cls ${name} net-class=10:1
      ${rules(`$(tare cgroup get --nft ${name})`)}
      (${send})
      (tare cgroup move ${name} $BASHPID; ${send} || :; ${send} || :)
      nft list ruleset
      tare cgroup rm ${name}
      for ((i = 0; i < 100; i++)); do grep -q '^net_cls.[0-9]*.1.' /proc/cgroups && break; sleep 0.05; done
      umount ${mount}
      # One that was unmounted a moment too early stays until it is unmounted again.
      for ((i = 0; i < 20; i++)); do
        sleep 0.1; if grep -q '^net_cls.0.' /proc/cgroups; then break; fi
        if ((i % 5 == 4)); then mount -t cgroup -o net_cls tare-test ${mount}; umount ${mount}; fi
      done`)
    assert.match(out, /meta cgroup (1048577|0x00100001) counter/)
    assert.equal(counted(out), '2')
  })

  it('by the group itself, on version 2', (t) => {
    if (lacks(t, ['unified'], ['nft', 'ip', 'unshare'])) return
    const name = `/tare-controllers-${process.pid}-match`
    const config = spawnSync('zcat', ['/proc/config.gz'], { encoding: 'utf8' }).stdout
    if (/^# CONFIG_NFT_SOCKET is not set$/m.test(config)) return t.skip('needs CONFIG_NFT_SOCKET in the kernel')
    // nft looks for version 2 at /sys/fs/cgroup alone.
    const out = inNamespaces(`
      umount -R /sys/fs/cgroup; mount -t cgroup2 tare-test /sys/fs/cgroup
      tare cgroup create -q ${name}/below
      ${rules(`$(tare cgroup get --nft ${name})`)}
      (${send})
      (tare cgroup move ${name}/below $BASHPID; ${send} || :; ${send} || :)
      nft list ruleset
      tare cgroup rm -r ${name}`)
    assert.match(out, /socket cgroupv2 level 1 "tare-controllers/)
    assert.equal(counted(out), '2')
  })

  it('and that it can not be is said', (t) => {
    if (lacks(t, ['pids'])) return
    if (version('pids') !== 1) return t.skip('needs cgroup v1')
    const name = `/tare-controllers-${process.pid}-none`
    made.push(name)
    assert.throws(() => packetMatch(makeCgroup(name, { controllers: ['pids'] })), /it has no class/)
  })
})
