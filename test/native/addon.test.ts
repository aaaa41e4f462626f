// Needs no privilege. What is tried with Bun needs bun, in PATH or installed as a package: .ci/run installs it.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { binding } from '../../src/linux/binding.ts'
import { addressOf, syscallNumber, trySyscall } from '../../src/linux/syscall.ts'

const PROGRAM = fileURLToPath(new URL('addon-program.js', import.meta.url))
const WORKER_PROGRAM = fileURLToPath(new URL('worker-program.js', import.meta.url))
const EBADF = 9
const EINVAL = 22
const EPERM = 1
const EEXIST = 17
const O_CLOEXEC = 0x80000

const pipe = (): readonly [number, number] => {
  const fds = new Int32Array(2)
  assert.equal(trySyscall('pipe2', fds, O_CLOEXEC), 0)
  return [fds[0] ?? -1, fds[1] ?? -1]
}

const read = (fd: number): string => {
  const bytes = Buffer.alloc(100)
  return bytes.subarray(0, trySyscall('read', fd, bytes, bytes.length)).toString()
}

test('arguments of a system call: numbers, strings, buffers', () => {
  const [reads, writes] = pipe()
  const write = syscallNumber('write')
  assert.equal(binding.syscall(write, writes, 'grün', 5), 5)
  assert.equal(binding.syscall(write, BigInt(writes), Buffer.from('xbuffer').subarray(1), 6n), 6)
  assert.equal(binding.syscall(write, writes, new TextEncoder().encode('array').buffer, 5), 5)
  assert.equal(binding.syscall(write, writes, new DataView(new TextEncoder().encode('-view').buffer, 1), 4), 4)
  assert.equal(binding.syscall(write, writes, addressOf(Buffer.from('address')), 7), 7)
  assert.equal(binding.syscall(write, writes, null, 0, undefined), 0)
  assert.equal(read(reads), 'grünbufferarrayviewaddress')
  for (const fd of [reads, writes]) trySyscall('close', fd)
  assert.equal(binding.syscall(write, -1, 'x', 1), -EBADF)
  assert.equal(binding.syscall(write, -1n, 'x', 1), -EBADF)
  assert.equal(binding.syscall(write, 0xffff_ffff_ffff_ffffn, 'x', 1), -EBADF)
})

test('arguments that stand for nothing are refused', () => {
  const close = syscallNumber('close')
  assert.throws(() => binding.syscall(close, 'a\0b'), TypeError)
  assert.throws(() => binding.syscall(close, 1n << 64n), TypeError)
  assert.throws(() => Reflect.apply(binding.syscall, binding, [close, {}]), TypeError)
  assert.throws(() => Reflect.apply(binding.syscall, binding, [close, true]), TypeError)
  assert.throws(() => Reflect.apply(binding.syscall, binding, []), TypeError)
  assert.throws(() => Reflect.apply(binding.syscall, binding, ['close']), TypeError)
  assert.throws(() => Reflect.apply(binding.address, binding, ['text']), TypeError)
  assert.throws(() => Reflect.apply(binding.watch, binding, [0]), TypeError)
  assert.throws(
    () => Reflect.apply(binding.start, binding, [0, new Uint8Array(3), -1, false, 0, new BigInt64Array(2)]),
    TypeError,
  )
  assert.throws(() => binding.proceed(0n), TypeError)
  assert.throws(() => binding.finish(0n), TypeError)
  assert.throws(() => binding.start(0, new Int32Array(257), -1, false, 0, new BigInt64Array(2)), TypeError)
  assert.throws(() => binding.start(0, new Int32Array(5), -1, false, 0, new BigInt64Array(1)), TypeError)
})

test('start says why it could not', () => {
  const result = new BigInt64Array(2)
  const pid = binding.start(0, Int32Array.of(-1, -1, -1, 9999), -1, false, 0, result)
  assert.ok(pid > 0)
  const status = new Int32Array(1)
  assert.equal(trySyscall('wait4', pid, status, 0, null), pid)
  assert.equal(status[0], 125 << 8)
  trySyscall('close', Number(result[0]))
  assert.equal(binding.finish(result[1] ?? 0n), -EBADF)
  // CLONE_THREAD and an exit signal don't go together.
  assert.equal(binding.start(0x10000, Int32Array.of(), -1, false, 0, result), -EINVAL)
  assert.equal(trySyscall('wait4', -1, null, 1, null), -10, 'no child is left')
})

test('watch says why it could not', () => {
  const never = (): void => assert.fail('called back')
  const [reads, writes] = pipe()
  const file = openSync(PROGRAM, 'r')
  assert.equal(binding.watch(-1, never), -EBADF)
  assert.equal(binding.watch(file, never), -EPERM)
  closeSync(file)
  return new Promise<void>((resolve) => {
    assert.equal(binding.watch(reads, resolve), 0)
    assert.equal(binding.watch(reads, never), -EEXIST)
    trySyscall('close', writes)
  }).finally(() => trySyscall('close', reads))
})

const run = (runtime: string, ...args: readonly string[]): Readonly<Record<string, unknown>> => {
  const options = { encoding: 'utf8' as const, timeout: 60_000 }
  const { status, signal, stdout, stderr } = spawnSync(runtime, args, options)
  return { status, signal, stdout, stderr }
}

const ended = (word: string): Readonly<Record<string, unknown>> => ({
  status: 0,
  signal: null,
  stdout: `${word}\n`,
  stderr: '',
})

const bun = ['bun', fileURLToPath(new URL('../../../node_modules/.bin/bun', import.meta.url))].find(
  (name) => spawnSync(name, ['--version']).status === 0,
)

for (const [name, runtime] of [['Node', process.execPath] as const, ['Bun', bun] as const]) {
  const runtimeTest = (what: string, body: (runtime: string) => void | Promise<void>): void => {
    test(`${name}: ${what}`, { timeout: 90_000 }, (t) => {
      if (runtime === undefined) return t.skip('needs bun')
      return body(runtime)
    })
  }

  runtimeTest('makes a system call, starts, watches, and ends by itself', (program) => {
    assert.deepEqual(run(program, PROGRAM, 'use'), ended('used'))
  })

  runtimeTest('watches a thousand pipes', (program) => {
    assert.deepEqual(run(program, PROGRAM, 'watch-pipes'), ended('watched'))
  })

  runtimeTest('watches hundreds of processes that end at once', (program) => {
    assert.deepEqual(run(program, PROGRAM, 'watch-processes'), ended('watched'))
  })

  runtimeTest('ends when nothing is watched any more', (program) => {
    assert.deepEqual(run(program, PROGRAM, 'leave'), ended('left'))
  })

  runtimeTest('stays while something is watched', async (program) => {
    const child = spawn(program, [PROGRAM, 'stay'], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
    const [, out, , held] = child.stdio
    assert.ok(out !== null && held !== null && held !== undefined && 'destroy' in held)
    const said: string[] = []
    out?.on('data', (data) => said.push(String(data)))
    while (!said.join('').includes('watching')) await delay(10)
    await delay(300)
    assert.equal(child.exitCode, null)
    held.destroy()
    const [code] = await once(child, 'close')
    assert.deepEqual({ code, said: said.join('') }, { code: 0, said: 'watching\nreadable\n' })
  })

  runtimeTest('works in two threads at once', (program) => {
    assert.deepEqual(run(program, PROGRAM, 'use-in-worker'), ended('used'))
  })

  runtimeTest('outlives a thread that is ended while it watches', (program) => {
    assert.deepEqual(run(program, PROGRAM, 'terminate-worker'), ended('terminated'))
  })

  runtimeTest('outlives a thread that alone has loaded the addon, and is ended while two make its calls', (program) => {
    assert.deepEqual(run(program, WORKER_PROGRAM), ended('terminated'))
  })

  runtimeTest('outlives a thread that is ended while it is notified', (program) => {
    assert.deepEqual(run(program, PROGRAM, 'terminate-notified-worker'), ended('terminated'))
  })
}
