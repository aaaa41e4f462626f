import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hugetlbPageSizeName } from './hugetlb-page-sizes.ts'
import { parseAmount, parseFlatKeyed, parseNestedKeyed } from './parse.ts'
import { parsePressure } from './pressure.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9_:.]{0,12}$/)
const count = fc.nat()

describe('control files', () => {
  it('hold numbers, and words for no limit', () => {
    assert.equal(parseAmount('4096\n'), 4096)
    for (const text of ['max\n', '-1\n', '9223372036854771712\n', '']) assert.equal(parseAmount(text), undefined)
  })

  it('flat keyed come back', () => {
    fc.assert(
      fc.property(fc.dictionary(name, count), (values) => {
        const text = Object.entries(values)
          .map(([key, value]) => `${key} ${value}\n`)
          .join('')
        assert.deepEqual([...parseFlatKeyed(text)], Object.entries(values))
      }),
    )
  })

  it('nested keyed come back, without max', () => {
    fc.assert(
      fc.property(fc.dictionary(name, fc.dictionary(name, fc.option(count, { nil: 'max' }))), (lines) => {
        const text = Object.entries(lines)
          .map(
            ([key, values]) =>
              [key, ...Object.entries(values).map(([inner, value]) => `${inner}=${value}`)].join(' ') + '\n',
          )
          .join('')
        const expected = Object.entries(lines).map(([key, values]) => [
          key,
          Object.entries(values).filter(([, value]) => value !== 'max'),
        ])
        assert.deepEqual(
          [...parseNestedKeyed(text)].map(([key, values]) => [key, [...values]]),
          expected,
        )
      }),
    )
  })

  it('of pressure come back', () => {
    const percent = fc.integer({ min: 0, max: 10_000 }).map((hundredths) => (hundredths / 100).toFixed(2))
    const line = fc.record({ avg10: percent, avg60: percent, avg300: percent, total: count })
    fc.assert(
      fc.property(line, fc.option(line, { nil: undefined }), (some, full) => {
        const show = (kind: string, given: typeof some): string =>
          `${kind} avg10=${given.avg10} avg60=${given.avg60} avg300=${given.avg300} total=${given.total}\n`
        const read = (given: typeof some): object => ({
          avg10: Number(given.avg10),
          avg60: Number(given.avg60),
          avg300: Number(given.avg300),
          total: given.total,
        })
        const text = show('some', some) + (full === undefined ? '' : show('full', full))
        assert.deepEqual(parsePressure(text), { some: read(some), full: full === undefined ? undefined : read(full) })
      }),
    )
  })

  it('of huge pages are named by the largest unit', () => {
    assert.equal(hugetlbPageSizeName(64), '64KB')
    assert.equal(hugetlbPageSizeName(2048), '2MB')
    assert.equal(hugetlbPageSizeName(1048576), '1GB')
    assert.equal(hugetlbPageSizeName(16777216), '16GB')
  })
})
