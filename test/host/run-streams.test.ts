import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { readFileSync, readdirSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Program } from '../../src/engine/program.ts'
import { run } from '../../src/engine/run.ts'
import { expectNothingLeft } from './leaks.ts'

const { nothingLeft } = await expectNothingLeft()

const index = new URL('../../src/index.js', import.meta.url).href

test('output comes on two streams, and is collected', async (t) => {
  nothingLeft(t)
  const { stdout, stderr, exitCode, signal, truncated } = await run(['sh', '-c', 'echo out; echo err >&2; exit 3'])
  assert.deepEqual([stdout, stderr, exitCode, signal, truncated], ['out\n', 'err\n', 3, undefined, false])
  const ignored = await run(['sh', '-c', 'echo out; echo err >&2'], { stdout: 'ignore', stderr: 'ignore' })
  assert.deepEqual([ignored.stdout, ignored.stderr], ['', ''])
  const program = run(['sh', '-c', 'echo out'], { buffer: false })
  const chunks: Buffer[] = []
  program.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  assert.equal((await program).stdout, '')
  assert.equal(Buffer.concat(chunks).toString(), 'out\n')
})

test("streams can be this process's own", async (t) => {
  nothingLeft(t)
  const script = `
    import { run } from ${JSON.stringify(index)}
    const { stdout, exitCode } = await run(['sh', '-c', 'cat; echo err >&2'], { stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' })
    process.exitCode = stdout === '' ? exitCode : 1
  `
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { input: 'typed', encoding: 'utf8' })
  assert.deepEqual([child.stdout, child.stderr, child.status], ['typed', 'err\n', 0])
})

test('input is nothing, text, bytes, a stream, or written as it runs', async (t) => {
  nothingLeft(t)
  const cat = async (options: Parameters<typeof run>[1]): Promise<string> => (await run(['cat'], options)).stdout
  assert.equal(await cat({}), '')
  assert.equal(await cat({ stdin: { text: 'grüß' } }), 'grüß')
  assert.equal(await cat({ stdin: Buffer.from([104, 105]) }), 'hi')
  assert.equal(await cat({ stdin: Readable.from(['a', 'b', 'c']) }), 'abc')
  const program = run(['cat'], { stdin: 'pipe' })
  program.stdin?.write('one ')
  program.stdin?.end('two')
  assert.equal((await program).stdout, 'one two')
  const large = Buffer.alloc(3 << 20, 'x')
  const { stdout } = await run(['wc', '-c'], { stdin: large })
  assert.equal(stdout.trim(), String(large.length))
})

test('input that a program does not read is no failure, and holds nothing up', async (t) => {
  nothingLeft(t)
  for (const stdin of ['pipe', Buffer.alloc(1 << 20), Readable.from([Buffer.alloc(1 << 20)])] as const)
    assert.equal((await run(['true'], { stdin })).exitCode, 0)
  const endless = new Readable({ read: () => undefined })
  assert.equal((await run(['true'], { stdin: endless })).exitCode, 0)
  endless.destroy()
})

test('more output than maxBuffer ends the container, and what came before is there', async (t) => {
  nothingLeft(t)
  const { stdout, truncated, signal } = await run(['yes'], { maxBuffer: 10_001 })
  assert.deepEqual([stdout.length, truncated, signal], [10_001, true, 'SIGKILL'])
  const exact = await run(['head', '-c', '1000', '/dev/zero'], { maxBuffer: 1000 })
  assert.deepEqual([exact.stdout.length, exact.truncated, exact.exitCode], [1000, false, 0])
  const errors = await run(['sh', '-c', 'yes >&2'], { maxBuffer: '1KiB' })
  assert.deepEqual([errors.stderr.length, errors.truncated], [1024, true])
})

const collectLines = async (program: Program): Promise<readonly string[]> => {
  const all: string[] = []
  for await (const line of program.lines()) all.push(line)
  return all
}

test('lines come whole, as they are written', async (t) => {
  nothingLeft(t)
  assert.deepEqual(await collectLines(run(['printf', 'a\\n\\nb\\r\\nlast'])), ['a', '', 'b\r', 'last'])
  assert.deepEqual(await collectLines(run(['true'])), [])
  assert.deepEqual(await collectLines(run(['printf', '%s', 'x'.repeat(25)], { maxBuffer: 10 })), [
    'x'.repeat(10),
    'x'.repeat(10),
    'x'.repeat(5),
  ])
  const program = run(['sh', '-c', 'echo first; read x; echo second'], { stdin: 'pipe' })
  const lines = program.lines()
  assert.equal((await lines.next()).value, 'first')
  program.stdin?.end('\n')
  assert.equal((await lines.next()).value, 'second')
  assert.equal((await lines.next()).done, true)
})

test('what a program says on the other stream is collected while its lines are read', async (t) => {
  nothingLeft(t)
  // More than a pipe holds: somebody must read it, or the program waits for ever.
  const program = run(['sh', '-c', 'echo a; head -c 300000 /dev/zero >&2; echo b'], { timeout: '20s' })
  assert.deepEqual(await collectLines(program), ['a', 'b'])
  const { stderr, timedOut } = await program
  assert.deepEqual([stderr.length, timedOut], [300_000, false])
})

test('a reader of lines that stops early does not stop the program from being ended', async (t) => {
  nothingLeft(t)
  const program = run(['yes'])
  for await (const line of program.lines()) {
    assert.equal(line, 'y')
    break
  }
  program.kill('SIGKILL')
  // With its reader gone, the program may have met SIGPIPE before.
  const { exitCode } = await program
  assert.equal(exitCode, undefined)
})

/** Bytes of this process in memory. */
const residentSize = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'ascii'))?.[1]) * 1024

test('a slow reader slows the program down, and memory stays bounded', async (t) => {
  nothingLeft(t)
  const program = run(['sh', '-c', 'i=0; while [ $i -lt 100000 ]; do echo $i; i=$((i+1)); done; echo all >&2'])
  const lines = program.lines()
  assert.equal((await lines.next()).value, '0')
  await sleep(500)
  assert.equal(await Promise.race([program.then(() => 'ended'), sleep(100, 'waits')]), 'waits')
  let count = 1
  for await (const line of lines) assert.equal(line, String(count++))
  assert.equal(count, 100_000)
  assert.equal((await program).stderr, 'all\n')
})

test('a gibibyte of lines goes through in bounded memory', async (t) => {
  nothingLeft(t)
  const line = 'x'.repeat(1023)
  const before = residentSize()
  let [count, most] = [0, 0]
  for await (const each of run(['sh', '-c', `yes ${line} | head -c ${1 << 30}`]).lines()) {
    count += 1
    if (each.length !== 1023) assert.fail(`line ${count} is of ${each.length} characters`)
    if (count % 4096 === 0) most = Math.max(most, residentSize() - before)
  }
  assert.equal(count, 1 << 20)
  t.diagnostic(`at most ${Math.round(most / 2 ** 20)} MiB more`)
  assert.ok(most < 200 << 20, `${most} bytes more`)
})

test('a terminal is one, has its size, and is the controlling one', async (t) => {
  nothingLeft(t)
  const script =
    'test -t 0 && test -t 1 && test -t 2 && echo yes; tty; stty size; echo $TERM; echo over >/dev/tty; ps -o tty= -p $$ 2>/dev/null || true'
  const { stdout, stderr, exitCode } = await run(['sh', '-c', script], { tty: { columns: 101, rows: 33 } })
  const [is, name, size, term, over] = stdout.split('\r\n')
  assert.deepEqual([is, name, size, term, over], ['yes', '/dev/pts/0', '33 101', 'xterm', 'over'])
  assert.deepEqual([stderr, exitCode], ['', 0])
  const console = await run(['sh', '-c', 'echo shown >/dev/console'], { tty: true })
  assert.equal(console.stdout, 'shown\r\n')
})

test('a terminal takes what is typed, ^C and a new size', async (t) => {
  nothingLeft(t)
  const script =
    "trap 'stty size' WINCH; trap 'echo interrupted; exit 9' INT; echo ready; while :; do read line && echo got $line; done"
  const program = run(['sh', '-c', script], { tty: { columns: 80, rows: 24 } })
  let text = ''
  program.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const until = async (pattern: RegExp): Promise<void> => {
    for (const begin = performance.now(); !pattern.test(text); await sleep(5))
      assert.ok(performance.now() - begin < 20_000, `${pattern} in ${JSON.stringify(text)}`)
  }
  await until(/ready\r\n/)
  program.stdin?.write('hello\n')
  await until(/got hello\r\n/)
  program.resize(132, 50)
  await until(/50 132\r\n/)
  program.stdin?.write('\x03')
  await until(/interrupted\r\n/)
  assert.equal((await program).exitCode, 9)
})

test('what is written to a terminal before the program is there arrives', async (t) => {
  nothingLeft(t)
  const program = run(['sh', '-c', 'read line; echo got $line; read end'], { tty: true })
  program.stdin?.write('early\n')
  // It stays until that was read: the end of a session may take its last output along (tty_ldisc_hangup in the kernel).
  program.stdout?.on('data', (chunk: Buffer) => {
    if (chunk.includes('got')) program.stdin?.write('\x04')
  })
  assert.match((await program).stdout, /got early\r\n/)
})

test('the standard streams of a program are its own alone', async (t) => {
  nothingLeft(t)
  // PID 1 must hold no end of them: else a program that waits for the end of input would wait for ever.
  const { stdout } = await run(['sh', '-c', 'exec 1>&-; sleep 0.3'])
  assert.equal(stdout, '')
  assert.ok(readdirSync('/proc/self/fd').length > 0)
})

test('a program that closes its terminal before it ends is not hung up', async (t) => {
  nothingLeft(t)
  for (let count = 0; count < 40; count++) {
    const program = run(['wc', '-c'], { tty: true })
    program.stdin?.write('hello\x04\x04')
    const { exitCode, signal } = await program
    assert.deepEqual([exitCode, signal], [0, undefined])
  }
})
