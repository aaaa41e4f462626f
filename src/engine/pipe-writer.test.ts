import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { closeSync, existsSync, readSync } from 'node:fs'
import { test } from 'node:test'
import { makePipe } from '../runtime/stage.ts'
import { PipeReader } from './pipe-reader.ts'
import { PipeWriter } from './pipe-writer.ts'

/** More than any pipe holds. */
const LARGE = 4 << 20

/** What the callback of a write is told. */
const written = (sink: PipeWriter, bytes: Buffer): Promise<unknown> =>
  new Promise((resolve) => {
    sink.write(bytes, resolve)
  })

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

test('what is written arrives in order, however large it is', { timeout: 30_000 }, async () => {
  const [read, write] = makePipe()
  const sink = new PipeWriter(write)
  const large = Buffer.alloc(LARGE, 'tare ')
  sink.write('first ')
  sink.write(large)
  sink.end('last')
  const pieces: Buffer[] = []
  for await (const piece of new PipeReader(read)) pieces.push(piece)
  assert.ok(Buffer.concat(pieces).equals(Buffer.concat([Buffer.from('first '), large, Buffer.from('last')])))
  assert.equal(sink.writableFinished, true)
})

test('a write that waits ends with the stream', { timeout: 30_000 }, async () => {
  const [read, write] = makePipe()
  const sink = new PipeWriter(write)
  try {
    const ended = written(sink, Buffer.alloc(LARGE))
    const closed = once(sink, 'close')
    sink.destroy()
    assert.equal(codeOf(await ended), 'EPIPE')
    assert.equal(existsSync(`/proc/self/fd/${write}`), false)
    await closed
  } finally {
    closeSync(read)
  }
})

test('a write that waits ends with the reason of the stream', { timeout: 30_000 }, async () => {
  const [read, write] = makePipe()
  const sink = new PipeWriter(write)
  try {
    sink.on('error', () => undefined)
    const reason = new Error('enough')
    const ended = written(sink, Buffer.alloc(LARGE))
    sink.destroy(reason)
    assert.equal(await ended, reason)
  } finally {
    closeSync(read)
  }
})

test('one write goes to the pipe at once, and the rest when there is room', { timeout: 30_000 }, async () => {
  const [read, write] = makePipe()
  const sink = new PipeWriter(write)
  const ended = written(sink, Buffer.alloc(100_000))
  assert.equal(sink.writableNeedDrain, true)
  const buffer = Buffer.alloc(LARGE)
  const first = readSync(read, buffer)
  assert.ok(first > 0 && first < 100_000)
  assert.equal((await ended) ?? undefined, undefined)
  assert.equal(readSync(read, buffer), 100_000 - first)
  sink.destroy()
  closeSync(read)
})

test('who reads no more is told of as EPIPE', { timeout: 30_000 }, async () => {
  const [read, write] = makePipe()
  const sink = new PipeWriter(write)
  const ended = once(sink, 'error')
  sink.write(Buffer.alloc(LARGE))
  closeSync(read)
  const [error] = await ended
  assert.equal(codeOf(error), 'EPIPE')
})
