import assert from 'node:assert/strict'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { ERRNO } from './errno.ts'
import { eachMountNamespace } from './mount-namespace.ts'
import { NamespaceLinks, numberOf } from './namespace-links.ts'
import { NAMESPACE_KINDS, readNamespace } from './namespace.ts'
import { packetSocketPair } from './socket.ts'

const withLinks = (use: (links: NamespaceLinks) => void): void => {
  const proc = openSync('/proc', 'r')
  try {
    use(new NamespaceLinks(proc))
  } finally {
    closeSync(proc)
  }
}

test('links tell the inodes that the kernel writes in them', () => {
  withLinks((links) => {
    const directory = links.open(`${process.pid}/ns`)
    for (const link of [...NAMESPACE_KINDS, 'pid_for_children', 'time_for_children'] as const) {
      assert.equal(links.inode(directory, link), readNamespace('self', link)?.inode)
    }
    links.close(directory)
    assert.equal(links.open('0/ns'), -(ERRNO['ENOENT'] ?? 0))
  })
})

test('descriptors of namespaces and sockets are told from all others', () => {
  const namespace = openSync('/proc/self/ns/net', 'r')
  const sockets = packetSocketPair()
  const others = ['/dev/null', '/proc/self/ns', '/proc/self/exe'].map((path) => openSync(path, 'r'))
  withLinks((links) => {
    const directory = links.openList(`${process.pid}/fd`)
    const found = new Map<number, ReturnType<typeof links.descriptor>>()
    links.each(directory, (name) => found.set(numberOf(name), links.descriptor(directory, name)))
    links.close(directory)
    assert.deepEqual(found.get(namespace), readNamespace('self', 'net'))
    for (const fd of sockets) assert.equal(found.get(fd), 'socket')
    for (const fd of others) assert.deepEqual([found.has(fd), found.get(fd)], [true, undefined])
  })
  for (const fd of [namespace, ...sockets, ...others]) closeSync(fd)
})

test('a list of many entries is read to its end', () => {
  const many = Array.from({ length: 3000 }, () => openSync('/dev/null', 'r'))
  withLinks((links) => {
    const directory = links.openList(`${process.pid}/fd`)
    const seen: number[] = []
    links.each(directory, (name) => seen.push(numberOf(name)))
    links.close(directory)
    assert.ok(many.every((fd) => seen.includes(fd)))
    assert.equal(new Set(seen).size, seen.length)
  })
  for (const fd of many) closeSync(fd)
})

test('threads are counted', async () => {
  const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
  await once(worker, 'online')
  withLinks((links) => {
    assert.equal(links.threads(process.pid), readdirSync('/proc/self/task').length)
    assert.equal(links.threads(0), -(ERRNO['ENOENT'] ?? 0))
  })
  await worker.terminate()
})

test('looking at mount namespaces leaves no descriptor open, even when the one who looks fails', () => {
  const own = openSync('/proc/self/ns/mnt', 'r')
  const open = (): readonly string[] => readdirSync('/proc/self/fd')
  const before = open()
  eachMountNamespace(own, (fd) => assert.notEqual(fd, own))
  assert.deepEqual(open(), before)
  try {
    eachMountNamespace(own, () => {
      throw new Error('enough')
    })
  } catch (error) {
    assert.equal(String(error), 'Error: enough')
  }
  assert.deepEqual(open(), before)
  closeSync(own)
})
