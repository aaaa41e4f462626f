import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { ERRNO } from './errno.ts'
import { readNamespace } from './namespace.ts'
import { numberOf, ProcEntries } from './proc-entries.ts'
import { packetSocketPair } from './socket.ts'

const withProc = (use: (proc: number) => void): void => {
  const proc = openSync('/proc', 'r')
  try {
    use(proc)
  } finally {
    closeSync(proc)
  }
}

const ENOENT = -(ERRNO['ENOENT'] ?? 0)

test('descriptors of namespaces and sockets are told from all others', () => {
  const namespace = openSync('/proc/self/ns/net', 'r')
  const sockets = packetSocketPair()
  const others = ['/dev/null', '/proc/self/ns', '/proc/self/exe'].map((path) => openSync(path, 'r'))
  withProc((proc) => {
    const entries = new ProcEntries(proc)
    const found = new Map<number, ReturnType<typeof entries.descriptor>>()
    entries.each(`${process.pid}/fd`, (name, directory) =>
      found.set(numberOf(name), entries.descriptor(name, directory)),
    )
    assert.deepEqual(found.get(namespace), readNamespace('self', 'net'))
    for (const fd of sockets) assert.equal(found.get(fd), 'socket')
    for (const fd of others) assert.deepEqual([found.has(fd), found.get(fd)], [true, undefined])
  })
  for (const fd of [namespace, ...sockets, ...others]) closeSync(fd)
})

test('a list of many entries is read to its end', () => {
  const many = Array.from({ length: 3000 }, () => openSync('/dev/null', 'r'))
  withProc((proc) => {
    const seen: number[] = []
    new ProcEntries(proc).each(`${process.pid}/fd`, (name) => seen.push(numberOf(name)))
    assert.ok(many.every((fd) => seen.includes(fd)))
    assert.equal(new Set(seen).size, seen.length)
  })
  for (const fd of many) closeSync(fd)
})

test('threads are counted', async () => {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
  await once(worker, 'online')
  withProc((proc) => {
    const entries = new ProcEntries(proc)
    assert.equal(entries.threads(process.pid), readdirSync('/proc/self/task').length)
    assert.equal(entries.threads(0), ENOENT)
  })
  await worker.terminate()
})
