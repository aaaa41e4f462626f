import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseJson } from './json.ts'

/** Forces the reader that keeps bits, and takes its value out again. */
const slowly = (text: string): unknown => {
  const value = parseJson(`[1234567890123456, ${text}]`, 'it')
  assert.ok(Array.isArray(value))
  return value[1]
}

test('what has no long numbers is what JSON.parse() makes of it', () => {
  fc.assert(
    fc.property(fc.json({ noUnicodeString: false }), fc.constantFrom('', ' ', '\n\t'), (text, space) => {
      fc.pre(!/[0-9]{16}/.test(text))
      assert.deepEqual(slowly(space + text + space), JSON.parse(text))
    }),
  )
})

test('no bit of an integer is lost', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      const read = slowly(String(value))
      assert.equal(BigInt(String(read)), value)
      assert.equal(typeof read, Number.isSafeInteger(Number(value)) ? 'number' : 'bigint')
    }),
  )
})

test('what is no JSON is refused as JSON.parse() does', () => {
  for (const text of [
    '',
    '{',
    '[1,]',
    '{"a"}',
    '{"a":1,}',
    '01',
    '+1',
    '.5',
    '1.',
    '"\n"',
    '"\\x"',
    'nul',
    "'a'",
    '1 2',
    '"a',
  ]) {
    assert.throws(() => JSON.parse(text), SyntaxError)
    assert.throws(() => slowly(text), { name: 'TareError', code: 'ERR_TARE_INPUT' }, text)
  }
})

test('an error names the file', () => {
  assert.throws(() => parseJson('{', 'config.json'), /^TareError: cannot read config\.json: it is not JSON: /)
})

test('__proto__ is a key like any other', () => {
  const read = slowly('{"__proto__": {"a": 1}}')
  assert.deepEqual(Object.keys(read ?? {}), ['__proto__'])
  assert.equal(Reflect.get(Object.prototype, 'a'), undefined)
})

test('nesting without end is refused, not a stack that overflows', () => {
  assert.throws(() => slowly('['.repeat(100_000)), { code: 'ERR_TARE_INPUT' })
})
