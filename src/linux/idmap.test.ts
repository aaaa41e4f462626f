import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import {
  checkIdMap,
  formatIdMap,
  idInside,
  idOutside,
  parseIdMap,
  parseSubids,
  readIdMap,
  readSubids,
} from './idmap.ts'

const mapping = fc.record(
  {
    inside: fc.nat({ max: 0xffffffff }),
    outside: fc.nat({ max: 0xffffffff }),
    size: fc.nat({ max: 0xffffffff }),
  },
  { noNullPrototype: true },
)

/** Maps that don't overlap: neighbours, with gaps. */
const sound = fc
  .array(fc.tuple(fc.nat({ max: 99 }), fc.nat({ max: 99 }), fc.integer({ min: 1, max: 999 })), {
    minLength: 1,
    maxLength: 50,
  })
  .map((steps) => {
    let [inside, outside] = [0, 100_000]
    return steps.map(([gapInside, gapOutside, size]) => {
      const made = { inside: inside + gapInside, outside: outside + gapOutside, size }
      ;[inside, outside] = [made.inside + size, made.outside + size]
      return made
    })
  })

test('a map is read as it is written', () => {
  fc.assert(fc.property(fc.array(mapping), (map) => assert.deepEqual(parseIdMap(formatIdMap(map)), map)))
  assert.deepEqual(parseIdMap('         0          0 4294967295\n'), [{ inside: 0, outside: 0, size: 4294967295 }])
  for (const text of ['0 0', '0 0 1 1', 'a 0 1', '-1 0 1', '0 0 1x']) assert.throws(() => parseIdMap(text), TareError)
})

test('a sound map passes, and ids go through it both ways', () => {
  fc.assert(
    fc.property(sound, fc.nat({ max: 60_000 }), (map, id) => {
      checkIdMap(map.toReversed())
      const outside = idOutside(map, id)
      if (outside !== undefined) assert.equal(idInside(map, outside), id)
      const mapped = map.some(({ inside, size }) => inside <= id && id < inside + size)
      assert.equal(outside !== undefined, mapped)
    }),
  )
  const map = [
    { inside: 0, outside: 1000, size: 1 },
    { inside: 1, outside: 100000, size: 65536 },
  ]
  assert.deepEqual([idOutside(map, 0), idOutside(map, 1), idOutside(map, 65536)], [1000, 100000, 165535])
  assert.deepEqual([idOutside(map, 65537), idInside(map, 999), idInside(map, 1000)], [undefined, undefined, 0])
})

test('an id that is mapped twice is found, on either side', () => {
  fc.assert(
    fc.property(sound, fc.nat(), (map, pick) => {
      const twice = map[pick % map.length] ?? { inside: 0, outside: 0, size: 1 }
      const free = 1_000_000_000
      assert.throws(() => checkIdMap([...map, { ...twice, outside: free, size: 1 }]), /inside of the namespace.*twice/)
      assert.throws(() => checkIdMap([...map, { ...twice, inside: free, size: 1 }]), /outside of the namespace.*twice/)
    }),
  )
})

test('what the kernel refuses is refused', () => {
  const one = { inside: 0, outside: 0, size: 1 }
  assert.throws(() => checkIdMap([]), /no mapping/)
  assert.throws(() => checkIdMap([{ ...one, size: 0 }]), /size 0/)
  assert.throws(() => checkIdMap([{ ...one, inside: 4294967295 }]), /beyond the last id/)
  assert.throws(() => checkIdMap([{ ...one, outside: 4294967294, size: 2 }]), /beyond the last id/)
  assert.throws(() => checkIdMap([{ ...one, inside: -1 }]), /no id/)
  assert.throws(() => checkIdMap([{ ...one, size: 1.5 }]), /no id/)
  checkIdMap([{ ...one, size: 4294967295 }])
  const many = (count: number, first: number): { inside: number; outside: number; size: number }[] =>
    Array.from({ length: count }, (_, index) => ({ inside: 2 * index, outside: first + 2 * index, size: 1 }))
  checkIdMap(many(340, 0))
  assert.throws(() => checkIdMap(many(341, 0)), /341 mappings are more than 340/)
  assert.throws(() => checkIdMap(many(340, 1_000_000_000)), /longer than a page/)
})

test('subordinate ids are found by name and by number', () => {
  const text = [
    'root:1:1',
    'alice:100000:65536',
    '# alice:5:5',
    '1000:300000:10',
    'alice:x:1',
    'alice:7:0',
    'alice:1:2:3',
    '',
  ].join('\n')
  assert.deepEqual(parseSubids(text, { name: 'alice', uid: 1000 }), [
    { first: 100000, size: 65536 },
    { first: 300000, size: 10 },
  ])
  assert.deepEqual(parseSubids(text, { uid: 1000 }), [{ first: 300000, size: 10 }])
  assert.deepEqual(parseSubids(text, { name: 'bob', uid: 1 }), [])
  fc.assert(fc.property(fc.string(), (any) => assert.ok(Array.isArray(parseSubids(any, { name: 'a', uid: 1 })))))
  assert.deepEqual(readSubids('uid', { name: 'no such user', uid: 4294967294 }), [])
})

test('the map of this process is readable', () => {
  const map = readIdMap('self', 'uid')
  checkIdMap(map)
  assert.equal(typeof idOutside(map, process.geteuid?.() ?? 0), 'number')
})
