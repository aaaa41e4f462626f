import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../../src/linux/error.ts'
import { readOpens } from '../../src/linux/elf/dlopen-note.ts'
import { parseElf } from '../../src/linux/elf/elf.ts'
import { ElfReader, SEGMENT } from '../../src/linux/elf/reader.ts'
import type { ByteSource } from '../../src/linux/elf/source.ts'
import { memorySource, withFileSource } from '../../src/linux/elf/source.ts'
import { makeElf } from './make-elf.ts'

const parse = (bytes: Uint8Array) => parseElf(memorySource(bytes), '/file')

/** Like a file in memory, but that it doesn't stand a read which isn't bounded. */
const watched = (bytes: Uint8Array): ByteSource & { readonly total: () => number } => {
  let total = 0
  return {
    size: bytes.length,
    read: (offset, length) => {
      assert.ok(Number.isSafeInteger(offset) && offset >= 0 && offset <= bytes.length, `read at ${offset}`)
      assert.ok(Number.isSafeInteger(length) && length >= 0 && length <= 64 << 10, `read ${length} bytes`)
      total += length
      return bytes.subarray(offset, offset + length)
    },
    total: () => total,
  }
}

const names = fc.stringMatching(/^[a-z][a-z0-9./$+-]{0,20}$/)
const sonames = fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { maxLength: 3 })
const parts = fc.record({
  bits: fc.constantFrom(32 as const, 64 as const),
  bigEndian: fc.boolean(),
  machine: fc.nat(0xffff),
  interpreter: fc.stringMatching(/^\/[a-z0-9/.-]{1,20}$/),
  needed: fc.array(names, { maxLength: 5 }),
  soname: names,
  rpath: names,
  runpath: names,
  noDefaultLibraries: fc.boolean(),
  filters: fc.array(names, { maxLength: 2 }),
  auxiliaries: fc.array(names, { maxLength: 2 }),
  opens: sonames.map((all) => JSON.stringify(all.map((soname) => ({ soname, priority: 'suggested' })))),
})

const sonamesIn = (text: string): readonly (readonly string[])[] =>
  JSON.parse(text).map(({ soname }: { soname: readonly string[] }) => soname)

test('what is written into a file is read from it, in either width and byte order', () => {
  fc.assert(
    fc.property(parts, (each) => {
      assert.deepEqual(parse(makeElf(each)), {
        ...each,
        type: 3,
        dynamic: true,
        audits: [],
        opens: sonamesIn(each.opens),
      })
    }),
  )
})

test('a program without a dynamic section needs nothing', () => {
  const bytes = makeElf()
  bytes.writeUInt16LE(1, 56)
  const { needed, dynamic, interpreter } = parse(bytes)
  assert.deepEqual([needed, dynamic, interpreter], [[], false, undefined])
})

test('a changed or cut file is read or refused, and never costs much', () => {
  const changes = fc.array(fc.tuple(fc.nat(600), fc.integer({ min: 0, max: 255 })), { maxLength: 8 })
  fc.assert(
    fc.property(parts, changes, fc.nat(700), (each, changed, length) => {
      const bytes = Buffer.from(makeElf(each))
      for (const [at, value] of changed) if (at < bytes.length) bytes[at] = value
      const source = watched(bytes.subarray(0, length))
      try {
        parseElf(source, '/file')
      } catch (error) {
        assert.ok(error instanceof InputError, String(error))
        assert.match(error.message, /^cannot read \/file: /)
      }
      assert.ok(source.total() < 4 << 20, `${source.total()} bytes were read`)
    }),
    { numRuns: 2000 },
  )
})

test('so is a real library that was changed', () => {
  const bytes = readFileSync(process.execPath).subarray(0, 4096)
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(1023), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }), (changed) => {
      const copy = Buffer.from(bytes)
      for (const [at, value] of changed) copy[at] = value
      try {
        parseElf(watched(copy), '/file')
      } catch (error) {
        assert.ok(error instanceof InputError, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})

test('a note that makes no sense is no note', () => {
  for (const opens of ['', 'no JSON', '{}', '[1, null, {}, { "soname": "x" }, { "soname": [1, ""] }]'])
    assert.deepEqual(parse(makeElf({ opens })).opens, [], opens)
})

test('the same note a thousand times is read only as often as notes may be long', () => {
  const source = memorySource(
    makeElf({ opens: JSON.stringify([{ soname: Array.from({ length: 1000 }, (_, each) => `lib${each}.so`) }]) }),
  )
  const reader = new ElfReader(source)
  const note = reader.segments().find(({ type }) => type === SEGMENT.note)
  assert.ok(note !== undefined)
  assert.equal(readOpens(reader, [note]).length, 1)
  assert.equal(
    readOpens(
      reader,
      Array.from({ length: 1000 }, () => note),
    ).length,
    Math.floor(65_536 / note.fileSize),
  )
})

test('each refusal says what is wrong', () => {
  const whole = makeElf({ interpreter: '/lib/ld.so', needed: ['liba.so'] })
  const changed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(whole)
    change(bytes)
    return bytes
  }
  const cases: readonly (readonly [bytes: Uint8Array, words: RegExp])[] = [
    [Buffer.from('#!/bin/sh\n'), /^cannot read \/file: it is no ELF file$/],
    [Buffer.alloc(0), /it is no ELF file$/],
    [whole.subarray(0, 10), /it is cut short: its header is not all there$/],
    [whole.subarray(0, 40), /it is cut short: its header goes to byte 64, and the file to byte 40$/],
    [whole.subarray(0, 100), /it is cut short: its program headers goes? to byte 232, and the file to byte 100$/],
    [whole.subarray(0, whole.length - 8), /it is cut short: its dynamic section goes to byte/],
    [makeElf({ needed: ['lib\x1b[31m.so'] }), /a name in it has control characters$/],
    [makeElf({ interpreter: '/lib/\n' }), /a name in it has control characters$/],
    [changed((bytes) => (bytes[4] = 7)), /class 7 of ELF is unknown$/],
    [changed((bytes) => (bytes[5] = 9)), /byte order 9 of ELF is unknown$/],
    [changed((bytes) => bytes.writeUInt16LE(57, 54)), /its program headers have 57 bytes, not 56$/],
    [changed((bytes) => bytes.writeUInt16LE(0xffff, 56)), /65535 program headers are more than the kernel takes$/],
    [changed((bytes) => bytes.writeBigUInt64LE(1n, 64 + 112 + 32)), /the name of its loader has 1 bytes$/],
    [changed((bytes) => bytes.writeBigUInt64LE(1n << 40n, 64 + 56 + 32)), /its dynamic section of \d+ bytes is larger/],
    [changed((bytes) => bytes.writeBigUInt64LE(0n, 64 + 32)), /its string table is in no part of it that is loaded$/],
  ]
  for (const [bytes, words] of cases) assert.throws(() => parse(bytes), { code: 'ERR_TARE_INPUT', message: words })
})

test('a file is read as readelf reads it', (t) => {
  if (spawnSync('readelf', ['--version']).status !== 0) return t.skip('needs readelf')
  for (const program of [process.execPath, '/bin/sh', '/bin/ls']) {
    const elf = withFileSource(realpathSync(program), (source) => parseElf(source, program))
    const said = execFileSync('readelf', ['-d', '-l', '-W', program], { encoding: 'utf8' })
    const needed = Array.from(said.matchAll(/\(NEEDED\).*\[(.*)\]/g), ([, name]) => name)
    const [, interpreter] = /interpreter: (.*)\]/.exec(said) ?? []
    assert.deepEqual([elf.needed, elf.interpreter], [needed, interpreter], program)
  }
})
