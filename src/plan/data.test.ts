import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DataBuilder } from './data.ts'

const read = (data: DataBuilder, offset: number): string => {
  const end = data.bytes.indexOf(0, offset)
  return new TextDecoder().decode(data.bytes.subarray(offset, end))
}

const word = (data: DataBuilder, at: number): number => Number(new DataView(data.bytes.buffer).getBigUint64(at, true))

test('any text is found again, ended by NUL', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('\0'))),
      (texts) => {
        const data = new DataBuilder()
        const offsets = texts.map((text) => data.string(text).offset)
        texts.forEach((text, index) => assert.equal(read(data, offsets[index] ?? -1), text))
      },
    ),
  )
})

test('the same text is kept once', () => {
  const data = new DataBuilder()
  const first = data.string('/proc')
  data.string('/sys')
  assert.equal(data.string('/proc').offset, first.offset)
  assert.equal(first.text, '"/proc"')
})

test('bytes survive growth, aligned to 8', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 }), (blocks) => {
      const data = new DataBuilder()
      const offsets = blocks.map((block) => data.add(block, 'block').offset)
      blocks.forEach((block, index) => {
        const offset = offsets[index] ?? -1
        assert.equal(offset % 8, 0)
        assert.deepEqual(data.bytes.subarray(offset, offset + block.length), block)
      })
    }),
  )
})

test('a vector of strings points to each, and ends with a null pointer', () => {
  const data = new DataBuilder()
  const vector = data.strings(['ls', '-l', 'ls'], 'argv')
  const pointers = [0, 8, 16].map((at) => word(data, vector.offset + at))
  assert.deepEqual(
    pointers.map((offset) => read(data, offset)),
    ['ls', '-l', 'ls'],
  )
  assert.equal(word(data, vector.offset + 24), 0)
  assert.deepEqual(
    data.relocations,
    [0, 8, 16].map((at) => vector.offset + at),
  )
})

test('words of more than 32 bits are kept', () => {
  const data = new DataBuilder()
  const space = data.space(8, 'a word')
  data.setWord(space.offset, 2 ** 40 + 5)
  assert.equal(word(data, space.offset), 2 ** 40 + 5)
})
