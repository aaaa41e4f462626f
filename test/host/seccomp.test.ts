/* Filters in the kernel. Needs a C compiler, and for what is said there root, 32-bit emulation, or x86-64. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { ERRNO } from '../../src/linux/errno.ts'
import type { SeccompArchitecture } from '../../src/linux/seccomp/architectures.ts'
import { NATIVE_SECCOMP_ARCHITECTURE, seccompAbi, seccompNumbers } from '../../src/linux/seccomp/architectures.ts'
import { MAX_INSTRUCTIONS } from '../../src/linux/seccomp/bpf.ts'
import type { SeccompProgram } from '../../src/linux/seccomp/compile.ts'
import { compileSeccomp } from '../../src/linux/seccomp/compile.ts'
import { interpretSeccomp } from '../../src/linux/seccomp/interpret.ts'
import type { SeccompArgument, SeccompProfile } from '../../src/linux/seccomp/profile.ts'
import { SECCOMP_FLAGS, SECCOMP_OPERATORS } from '../../src/linux/seccomp/profile.ts'
import { defaultSeccompProgram } from '../../src/runtime/default-seccomp.ts'

interface Call {
  readonly abi?: 32 | 64
  readonly nr: number
  readonly args?: readonly (bigint | number)[]
}

const folder = mkdtempSync(join(tmpdir(), 'tare-seccomp-'))
after(() => rmSync(folder, { recursive: true }))
const probe = join(folder, 'probe')
const source = join(import.meta.dirname, '../../../test/host/seccomp-probe.c')
const build = spawnSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', probe, source], { encoding: 'utf8' })

const canRun = (t: TestContext): boolean => {
  if (build.error !== undefined) t.skip('needs a C compiler')
  else assert.equal(build.status, 0, build.stderr)
  return build.error === undefined
}

const isX86 = process.arch === 'x64'
const isRoot = process.getuid?.() === 0

const start = (
  filter: SeccompProgram | undefined,
  command: readonly string[],
  input = '',
): {
  readonly status: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
} => {
  const file = join(folder, 'filter')
  if (filter !== undefined) writeFileSync(file, filter.program)
  const args = [filter === undefined ? '-' : file, String(filter?.flags ?? 0), ...command]
  return spawnSync(probe, args, { input, encoding: 'utf8', maxBuffer: 1 << 24 })
}

/** Raw results: negative errnos. */
const results = (filter: SeccompProgram | undefined, calls: readonly Call[]): readonly number[] => {
  const lines = calls.map(({ abi = 64, nr, args = [] }) => `${abi} ${nr} ${args.join(' ')}\n`)
  const { status, signal, stdout, stderr } = start(filter, [], lines.join(''))
  assert.deepEqual([status, signal], [0, null], stderr)
  return stdout.trim().split('\n').map(Number)
}

const nr = (name: string, architecture: SeccompArchitecture = NATIVE_SECCOMP_ARCHITECTURE): number =>
  seccompNumbers(architecture).get(name) ?? assert.fail(`${architecture} lacks ${name}`)

const errno = (name: string): number => -(ERRNO[name] ?? assert.fail(name))

/** Without the emulation int 0x80 is a fault. */
const has32 = (): boolean => isX86 && start(undefined, [], '32 20\n').signal === null

const WIDE = 0xffff_ffff_ffff_ffffn
const word = fc.oneof(
  fc.bigInt({ min: 0n, max: WIDE }),
  fc.bigInt({ min: 0n, max: 4n }),
  fc.constantFrom(0xffff_ffffn, 0x1_0000_0000n, WIDE, 0xffff_ffff_0000_0000n),
)
const argument: fc.Arbitrary<SeccompArgument> = fc.record({
  index: fc.integer({ min: 0, max: 5 }),
  value: word,
  valueTwo: word,
  op: fc.constantFrom(...SECCOMP_OPERATORS),
})

test('the kernel runs filters as the interpreter does, for every call, with any arguments', (t) => {
  if (!canRun(t)) return
  const emulation = has32()
  if (isX86 && !emulation) t.diagnostic('without 32-bit calls: this kernel has no emulation of them')
  const names = [...seccompNumbers(NATIVE_SECCOMP_ARCHITECTURE).keys()]
  const needed = new Set(['write', 'exit_group'])
  // Every call fails with a number that tells which rule made it, so that none is carried out.
  const rule = fc.record({
    names: fc.uniqueArray(fc.constantFrom(...names.filter((name) => !needed.has(name))), {
      minLength: 1,
      maxLength: 60,
    }),
    action: fc.constant('SCMP_ACT_ERRNO' as const),
    errnoRet: fc.integer({ min: 2, max: 400 }),
    args: fc.uniqueArray(argument, { maxLength: 2, selector: ({ index }) => index }),
  })
  const profile = fc.array(rule, { maxLength: 25 }).map((rules): SeccompProfile => ({
    defaultAction: 'SCMP_ACT_ERRNO',
    ...(isX86 ? { architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] } : {}),
    syscalls: [...rules, { names: [...needed], action: 'SCMP_ACT_ALLOW' }],
  }))
  const abis: readonly (readonly [32 | 64, SeccompArchitecture, number])[] = [
    [64, NATIVE_SECCOMP_ARCHITECTURE, 0],
    ...(isX86 ? [[64, 'SCMP_ARCH_X32', 0x4000_0000] as const] : []),
    ...(emulation ? [[32, 'SCMP_ARCH_X86', 0] as const] : []),
  ]
  fc.assert(
    fc.property(profile, fc.array(fc.nat(), { minLength: 6, maxLength: 6 }), (given, picks) => {
      const values = (given.syscalls ?? []).flatMap(({ args = [] }) =>
        args.flatMap(({ value, valueTwo = 0 }) => [BigInt(value), BigInt(valueTwo), BigInt(value) + 1n]),
      )
      const pool = [0n, 1n, WIDE, ...values].map((value) => BigInt.asUintN(64, value))
      // The kernel asks no filter about its own trampolines' calls (since Linux 6.14).
      const unfiltered = isX86 ? [nr('uretprobe'), nr('uprobe')] : []
      const compiled = compileSeccomp(given)
      const calls = abis.flatMap(([abi, architecture, offset]) =>
        Array.from({ length: 480 }, (_, i) => i + offset)
          .filter((each) => !unfiltered.includes(each) && ![...needed].some((name) => nr(name, architecture) === each))
          .flatMap((each) =>
            [0, 1, 2].map((turn) => {
              const wide = picks.map((pick, j) => pool[(pick + each + turn * (2 * j + 1)) % pool.length] ?? 0n)
              const args = abi === 32 ? wide.map((value) => value & 0xffff_ffffn) : wide
              return { abi, nr: each, args, arch: seccompAbi(architecture).audit }
            }),
          ),
      )
      const got = results(compiled, calls)
      for (const [i, call] of calls.entries()) {
        const value = interpretSeccomp(compiled.program, call)
        if (value !== 0x0005_0000 - (got[i] ?? 0)) {
          assert.fail(`${call.abi} bits, nr ${call.nr}: kernel ${got[i]}, interpreter 0x${value.toString(16)}`)
        }
      }
    }),
    { numRuns: 25 },
  )
})

test('the kernel takes filters up to its limit, with long jumps, and all flags', (t) => {
  if (!canRun(t)) return
  const rules = Array.from({ length: 800 }, (_, i) => ({
    names: ['ioctl'],
    action: 'SCMP_ACT_ERRNO' as const,
    errnoRet: 1 + (i % 300),
    args: [{ index: 3, value: i, op: 'SCMP_CMP_EQ' as const }],
  }))
  const big = compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules })
  assert.ok(big.instructions > MAX_INSTRUCTIONS / 2)
  const calls = [0, 1, 299, 300, 799].map((value) => ({ nr: nr('ioctl'), args: [0, 0, 0, value] }))
  assert.deepEqual(results(big, calls), [-1, -2, -300, -1, -200])
  for (const action of ['SCMP_ACT_ERRNO', 'SCMP_ACT_NOTIFY'] as const) {
    const flagged = compileSeccomp({
      defaultAction: 'SCMP_ACT_ALLOW',
      flags: SECCOMP_FLAGS,
      listenerPath: '/nowhere',
      syscalls: [{ names: ['mknodat'], action }],
    })
    const { stdout, stderr } = start(flagged, [])
    assert.equal(stdout.trim(), action === 'SCMP_ACT_NOTIFY' ? 'loaded with a listener' : 'loaded', stderr)
  }
})

test('what kills, kills', (t) => {
  if (!canRun(t)) return
  const kill = compileSeccomp({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['getpid'], action: 'SCMP_ACT_KILL_PROCESS' }],
  })
  assert.equal(start(kill, [], `64 ${nr('getpid')}\n`).signal, 'SIGSYS')
  if (!isX86) return
  assert.equal(start(kill, [], `64 ${0x4000_0000 + nr('getppid')}\n`).signal, 'SIGSYS')
  if (has32()) assert.equal(start(kill, [], '32 64\n').signal, 'SIGSYS')
})

test('the default filter refuses what it should, and nothing else', (t) => {
  if (!canRun(t)) return
  if (!isRoot) return t.skip('needs root: else the kernel itself refuses')
  const high = 1n << 32n
  const cases: readonly (readonly [string, readonly (number | bigint)[], string])[] = [
    ['mount', [0, 0, 0, 0, 0], 'EPERM'],
    ['umount2', [0, 0], 'EPERM'],
    ['unshare', [0x1000_0000], 'EPERM'],
    ['unshare', [0], 'EPERM'],
    ['setns', [-1 >>> 0, 0], 'EPERM'],
    ['clone', [0x1000_0011, 0, 0, 0, 0], 'EPERM'],
    ['clone', [high + 0x2_0011n, 0, 0, 0, 0], 'EPERM'],
    ['clone3', [0, 0], 'ENOSYS'],
    ['bpf', [0, 0, 0], 'EPERM'],
    ['perf_event_open', [0, 0, 0, 0, 0], 'EPERM'],
    ['keyctl', [0, -3, 0], 'EPERM'],
    ['add_key', [0, 0, 0, 0, 0], 'EPERM'],
    ['io_uring_setup', [1, 0], 'EPERM'],
    ['userfaultfd', [1], 'EPERM'],
    ['chroot', [0], 'EPERM'],
    ['pivot_root', [0, 0], 'EPERM'],
    ['open_by_handle_at', [0, 0, 0], 'EPERM'],
    ['init_module', [0, 0, 0], 'EPERM'],
    ['kcmp', [1, 1, 0, 0, 0], 'EPERM'],
    ['personality', [0x4_0000], 'EPERM'],
    ['socket', [40, 1, 0], 'EAFNOSUPPORT'],
    ['socket', [high + 40n, 1, 0], 'EAFNOSUPPORT'],
    ['socket', [38, 5, 0], 'EAFNOSUPPORT'],
    ['socket', [high + 38n, 5, 0], 'EAFNOSUPPORT'],
    ['socket', [16, 3, 9], 'EINVAL'],
    ['ioctl', [-1 >>> 0, 0x5412, 0], 'EPERM'],
    ['ioctl', [-1 >>> 0, high + 0x5412n, 0], 'EPERM'],
    ['ioctl', [-1 >>> 0, 0x541c, 0], 'EPERM'],
  ]
  const calls = cases.map(([name, args]) => ({
    nr: nr(name),
    args: args.map((arg) => BigInt.asUintN(64, BigInt(arg))),
  }))
  const filter = defaultSeccompProgram([])
  assert.deepEqual(
    results(filter, calls),
    cases.map(([, , name]) => errno(name)),
  )
  const passing: readonly Call[] = [
    { nr: nr('getuid') },
    { nr: nr('socket'), args: [1, 1, 0] },
    { nr: nr('socket'), args: [16, 3, 0] },
    { nr: nr('personality'), args: [0xffff_ffff] },
    { nr: nr('ioctl'), args: [0xffff_ffff, 0x5401, 0] },
    { nr: nr('fanotify_mark'), args: [0xffff_ffff, 0, 0, 0, 0] },
  ]
  const free = results(undefined, passing)
  assert.deepEqual([free[0], free[4], free[5]], [0, errno('EBADF'), errno('EINVAL')])
  assert.deepEqual(results(filter, passing), free)
  assert.equal(results(filter, [{ nr: 999 }])[0], errno('ENOSYS'))
})

test('capabilities unlock their calls', (t) => {
  if (!canRun(t)) return
  if (!isRoot) return t.skip('needs root: else the kernel itself refuses')
  const cases: readonly (readonly [string, string, readonly number[]])[] = [
    ['CAP_SYS_ADMIN', 'unshare', [0]],
    ['CAP_SYS_ADMIN', 'clone3', [0, 0]],
    ['CAP_SYS_CHROOT', 'chroot', [0]],
    ['CAP_SYS_PTRACE', 'kcmp', [0, 0, 0, 0, 0]],
    ['CAP_DAC_READ_SEARCH', 'open_by_handle_at', [0, 0, 0]],
    ['CAP_BPF', 'bpf', [999, 0, 0]],
  ]
  for (const [capability, name, args] of cases) {
    const call = { nr: nr(name), args }
    const [free] = results(undefined, [call])
    assert.notDeepEqual(results(defaultSeccompProgram([]), [call]), [free], `${name} without ${capability}`)
    assert.deepEqual(results(defaultSeccompProgram([capability]), [call]), [free], `${name} with ${capability}`)
  }
})

test('32-bit calls are filtered by their own numbers, sockets behind socketcall too', (t) => {
  if (!canRun(t)) return
  if (!has32()) return t.skip('needs a kernel of x86-64 that emulates 32-bit calls')
  if (!isRoot) return t.skip('needs root: else the kernel itself refuses')
  const call = (name: string, ...args: readonly number[]): Call => ({ abi: 32, nr: nr(name, 'SCMP_ARCH_X86'), args })
  assert.deepEqual(
    results(defaultSeccompProgram([]), [
      call('getuid32'),
      call('mount', 0, 0, 0, 0, 0),
      call('clone', 0x1000_0011),
      call('socket', 38, 5, 0),
      call('socketcall', 1, 0),
      call('socketcall', 2, 0),
      call('mmap2', 0, 0, 0, 0, 0, 0),
      call('vm86', 0, 0),
    ]),
    [
      0,
      errno('EPERM'),
      errno('EPERM'),
      errno('EAFNOSUPPORT'),
      errno('EAFNOSUPPORT'),
      errno('EFAULT'),
      errno('EINVAL'),
      errno('EPERM'),
    ],
  )
})

test('programs run under the default filter: a shell, and Node with its threads and sockets', (t) => {
  if (!canRun(t)) return
  const filter = defaultSeccompProgram([])
  const shell = start(filter, ['sh', '-c', 'for i in 1 2 3; do (echo $i) & done; wait; ls -l / | sort | wc -l; id -u'])
  assert.equal(shell.status, 0, shell.stderr)
  const script = `
    const { createServer, connect } = require('node:net')
    const { Worker } = require('node:worker_threads')
    const server = createServer((socket) => socket.end('served')).listen(0, '127.0.0.1', () => {
      connect(server.address().port, '127.0.0.1').on('data', (data) => {
        new Worker('require("node:worker_threads").parentPort.postMessage("threaded")', { eval: true }).on('message', (message) => {
          require('node:child_process').execFile('echo', ['spawned'], (error, output) => {
            console.log(String(data), message, output.trim())
            server.close()
          })
        })
      })
    })`
  const node = start(filter, [process.execPath, '-e', script])
  assert.deepEqual([node.status, node.stdout.trim()], [0, 'served threaded spawned'], node.stderr)
})
