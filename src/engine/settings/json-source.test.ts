import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { JsonFault, parseJson, plainJson } from './json-source.ts'

const faultOf = (text: string): readonly [line: number, message: string] => {
  try {
    parseJson(text)
  } catch (error) {
    assert.ok(error instanceof JsonFault)
    return [error.line, error.message]
  }
  return assert.fail(`was read: ${text}`)
}

test('what JSON.stringify writes is read as JSON.parse reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'medium' }), fc.constantFrom(undefined, 2, '\t'), (value, space) => {
      const text = JSON.stringify(value, undefined, space)
      assert.deepEqual(plainJson(parseJson(text)), JSON.parse(text))
    }),
  )
})

test('what JSON.parse refuses is refused, and nothing else', () => {
  const piece = fc.constantFrom(
    ...'{}[]:,"\\/#-+.0123456789eEtrufalsn \n\t\u0000'.split(''),
    'true',
    'null',
    '"a"',
    '\\u0061',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      let wanted: unknown
      try {
        wanted = JSON.parse(text)
      } catch {
        faultOf(text)
        return
      }
      assert.deepEqual(plainJson(parseJson(text)), wanted)
    }),
    { numRuns: 3000 },
  )
})

test('a fault names its line', () => {
  const cases: readonly (readonly [text: string, line: number, message: RegExp])[] = [
    ['', 1, /^it ends where a value is to be$/],
    ['{\n  "a": 1,\n}', 3, /^there is a comma before "}", and nothing behind it$/],
    ['{\n  "a": 1\n  "b": 2\n}', 3, /^"\\"" stands where a comma or "}" is to be$/],
    ['{\n  // no\n}', 2, /^"\/" stands where a name in double quotes is to be$/],
    ['{"a": yes}', 1, /^yes stands where a value is to be$/],
    ['{\n"a": "b\n"}', 2, /^a text has no end in its line/],
    ['{"a": 1,\n"a": 2}', 2, /^a is there twice$/],
    ['[1] 2', 1, /^there is more behind the end$/],
    ['['.repeat(200), 1, /^it is nested too deeply$/],
  ]
  for (const [text, line, message] of cases) {
    const [where, what] = faultOf(text)
    assert.equal(where, line, text)
    assert.match(what, message)
  }
})
