import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { TareError } from '../../linux/error.ts'
import type { TarEntry } from './entry.ts'
import { encodeEntry, parseTarNumber, TAR_END, tarPadding } from './header.ts'
import { encodePax, formatPaxTime, parsePax, parsePaxTime } from './pax.ts'
import { TarReader } from './reader.ts'

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

interface Read {
  readonly entry: TarEntry
  readonly content: Buffer
}

const readAll = async (bytes: Uint8Array, size: number, lenient = false): Promise<readonly Read[]> => {
  const reader = new TarReader(pieces(bytes, size), { lenient })
  const found: Read[] = []
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const content: Uint8Array[] = []
    for await (const piece of reader.content()) content.push(piece)
    found.push({ entry, content: Buffer.concat(content) })
  }
  return found
}

const archive = (all: readonly Read[]): Buffer =>
  Buffer.concat([
    ...all.flatMap(({ entry, content }) => [encodeEntry(entry), content, tarPadding(content.length)]),
    TAR_END,
  ])

/** Bytes but NUL, as the kernel has them in names. */
const name = (most: number): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'B', '.', ' ', '/'), minLength: 1, maxLength: most }),
    fc.string({
      unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: most,
    }),
  )

const id = fc.oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 2 ** 32 - 2 }))

const anyEntry: fc.Arbitrary<Read> = fc
  .record({
    type: fc.constantFrom('file', 'link', 'symlink', 'character', 'block', 'directory', 'fifo'),
    path: name(300),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: id,
    gid: id,
    modified: fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 61n }), fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n })),
    target: name(300),
    major: fc.integer({ min: 0, max: 0xfff }),
    minor: fc.integer({ min: 0, max: 0xfffff }),
    xattrs: fc.array(fc.tuple(fc.stringMatching(/^user\.[a-z]{1,20}$/), fc.uint8Array({ maxLength: 100 })), {
      maxLength: 3,
    }),
    content: fc.uint8Array({ maxLength: 2000 }),
  })
  .map(({ content, xattrs, ...rest }) => {
    const bytes = rest.type === 'file' ? content : new Uint8Array()
    // A slash at the end of an old header's name makes it a directory.
    const path = rest.type === 'file' ? rest.path.replace(/\/+$/, 'x') : rest.path
    const entry = { ...rest, path, size: bytes.length, xattrs: new Map(xattrs) }
    return { entry, content: Buffer.from(bytes) }
  })

test('what is written is read again, in pieces of any size', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyEntry, { maxLength: 5 }), fc.integer({ min: 1, max: 3000 }), async (all, size) => {
      const found = await readAll(archive(all), size)
      assert.equal(found.length, all.length)
      for (const [at, { entry, content }] of all.entries()) {
        const { xattrs, ...rest } = found[at]?.entry ?? assert.fail()
        const { xattrs: wanted, ...other } = entry
        assert.deepEqual(rest, other)
        assert.deepEqual(
          [...xattrs].map(([key, value]) => [key, Buffer.from(value)]),
          [...wanted].map(([key, value]) => [key, Buffer.from(value)]),
        )
        assert.deepEqual(found[at]?.content, content)
      }
    }),
  )
})

test('an archive that is damaged or cut off is refused, and nothing else happens', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyEntry, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      fc.nat(),
      async (all, changes, cut) => {
        const bytes = archive(all)
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        const part = bytes.subarray(0, cut % bytes.length)
        try {
          await readAll(part, 512, true)
        } catch (error) {
          assert.ok(error instanceof TareError, String(error))
          assert.equal(error.code, 'ERR_TARE_ARCHIVE')
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('an archive without its end mark is cut off, unless that may be', async () => {
  const entry = encodeEntry({
    type: 'directory',
    path: 'a/',
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    modified: 0n,
    target: '',
    major: 0,
    minor: 0,
    xattrs: new Map(),
  })
  await assert.rejects(readAll(entry, 512), /it is cut off/)
  assert.equal((await readAll(entry, 512, true)).length, 1)
  await assert.rejects(readAll(Buffer.concat([entry, entry.subarray(0, 300)]), 512, true), /it is cut off/)
  await assert.rejects(readAll(new Uint8Array(), 512), /there is nothing in it/)
  await assert.rejects(readAll(entry.subarray(0, 300), 512), /it is no tar archive/)
  await assert.rejects(readAll(Buffer.from('x'.repeat(1024)), 512), /no tar archive, or it is damaged/)
})

test('records and times are written and read', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.stringMatching(/^[a-zA-Z.]{1,30}$/), name(200)), { maxLength: 6 }), (records) => {
      const map = new Map(records)
      assert.deepEqual(parsePax(encodePax(map)), map)
    }),
  )
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (time) => {
      assert.equal(parsePaxTime(formatPaxTime(time)), time)
    }),
  )
  assert.equal(formatPaxTime(1_500_000_000n), '1.5')
  assert.equal(formatPaxTime(-1n), '-0.000000001')
  for (const wrong of ['', '1', '5 a=b', '5 ab\n', '99 a=b\n', '5 a=bc\n'])
    if (wrong !== '') assert.throws(() => parsePax(Buffer.from(wrong)), /damaged/, wrong)
})

test('numbers are octal, or the bytes themselves', () => {
  const number = (...bytes: readonly number[]): number => parseTarNumber(Uint8Array.from(bytes))
  assert.equal(parseTarNumber(Buffer.from('0000644\0')), 0o644)
  assert.equal(parseTarNumber(Buffer.from('   644 \0')), 0o644)
  assert.equal(parseTarNumber(Buffer.from('\0\0\0\0')), 0)
  assert.equal(number(0x80, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0), 2 ** 25)
  assert.equal(number(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), -1)
  assert.throws(() => parseTarNumber(Buffer.from('12x\0')), /a number in it is damaged/)
  assert.throws(() => number(0x80, ...Array.from({ length: 11 }, () => 0xff)), /too large/)
})
