import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Epoll, openEventfd, readEventfd } from './epoll.ts'
import { trySyscall } from './syscall.ts'

const raise = (fd: number): void => void trySyscall('write', fd, new BigUint64Array([1n]), 8)
const descriptors = (): number => readdirSync('/proc/self/fd').length

describe('epoll', () => {
  it('says which descriptors can be read, until they are', async () => {
    const before = descriptors()
    const [one, other, epoll] = [openEventfd(), openEventfd(), new Epoll()]
    epoll.add(one)
    epoll.add(other)
    const waiting = epoll.ready()
    raise(other)
    assert.deepEqual(await waiting, [other])
    assert.deepEqual(await epoll.ready(), [other])
    raise(other)
    assert.equal(readEventfd(other), 2)
    assert.equal(readEventfd(other), 0)
    raise(other)
    epoll.remove(other)
    raise(one)
    assert.deepEqual(await epoll.ready(), [one])
    epoll.close()
    assert.deepEqual(await epoll.ready(), [])
    for (const fd of [one, other]) trySyscall('close', fd)
    assert.equal(descriptors(), before)
  })

  it('ends its wait when it is closed, and leaves no descriptor', async () => {
    const before = descriptors()
    const epoll = new Epoll()
    const waiting = epoll.ready()
    await sleep(10)
    epoll.close()
    assert.deepEqual(await waiting, [])
    assert.equal(descriptors(), before)
  })
})
