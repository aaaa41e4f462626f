import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Epoll } from './epoll.ts'
import { IN_DELETE, IN_MODIFY, Inotify, decodeInotify } from './inotify.ts'

/** What the kernel writes: the name padded by zeros to a multiple of the header's size. */
const encode = (watch: number, mask: number, name: string): Buffer => {
  const bytes = Buffer.from(name)
  const length = name === '' ? 0 : Math.ceil((bytes.length + 1) / 16) * 16
  const buffer = Buffer.alloc(16 + length)
  buffer.writeInt32LE(watch, 0)
  buffer.writeUInt32LE(mask, 4)
  buffer.writeUInt32LE(length, 12)
  bytes.copy(buffer, 16)
  return buffer
}

const name = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replaceAll('\0', ''))

describe('inotify', () => {
  it('decodes what the kernel wrote, and no more', () => {
    const event = fc.record({ watch: fc.nat(1e6), mask: fc.nat(2 ** 31), name }, { noNullPrototype: true })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 8 }), fc.nat(15), (events, cut) => {
        const bytes = Buffer.concat(events.map((each) => encode(each.watch, each.mask, each.name)))
        assert.deepEqual(decodeInotify(bytes), events)
        if (events.length > 0 && cut > 0)
          assert.deepEqual(decodeInotify(bytes.subarray(0, bytes.length - cut)), events.slice(0, -1))
      }),
    )
  })

  it('tells of changes and removals, together with an epoll descriptor', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'tare-inotify-'))
    const inotify = new Inotify()
    const epoll = new Epoll()
    t.after(() => {
      epoll.close()
      inotify.close()
      rmSync(directory, { recursive: true })
    })
    const file = join(directory, 'file')
    writeFileSync(file, '')
    const [above, own] = [inotify.watch(directory, IN_DELETE), inotify.watch(file, IN_MODIFY)]
    epoll.add(inotify.fd)
    assert.deepEqual(inotify.read(), [])
    const ready = epoll.ready()
    writeFileSync(file, 'x')
    assert.deepEqual(await ready, [inotify.fd])
    assert.ok(inotify.read().every(({ watch, mask }) => watch === own && mask === IN_MODIFY))
    rmSync(file)
    assert.deepEqual(await epoll.ready(), [inotify.fd])
    assert.deepEqual(
      inotify.read().filter(({ watch }) => watch === above),
      [{ watch: above, mask: IN_DELETE, name: 'file' }],
    )
  })
})
