import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UsageError } from './usage-error.ts'
import { splitWords } from './words.ts'

test('words as a shell has them', () => {
  const cases: readonly (readonly [text: string, words: readonly string[]])[] = [
    ['', []],
    ['  a  b\tc\n', ['a', 'b', 'c']],
    [`sh -c 'a "b" \\c'`, ['sh', '-c', 'a "b" \\c']],
    [String.raw`"a \"b\" \c $d" e\ f\'`, [String.raw`a "b" \c $d`, "e f'"]],
    [`a''b"c"'' '' ""`, ['abc', '', '']],
    ['$HOME *.c | >x', ['$HOME', '*.c', '|', '>x']],
    ['a\\', ['a\\']],
  ]
  for (const [text, words] of cases) assert.deepEqual(splitWords(text), words, text)
})

test('whatever is quoted comes back', () => {
  const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      assert.deepEqual(splitWords(words.map(quoted).join(' ')), words)
    }),
  )
})

test('quotes that stay open are refused', () => {
  assert.throws(() => splitWords(`a 'b`), UsageError)
  assert.throws(
    () => splitWords(`a "b\\"`),
    /^UsageError: cannot take .* apart: a " is not closed\nClose it, or write \\"\.$/,
  )
})
