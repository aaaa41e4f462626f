import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../linux/error.ts'
import { formatBytes, formatDuration, parseBytes, parseCpus, parseDuration } from './units.ts'

const refused = (message: RegExp) => (error: unknown) => error instanceof InputError && message.test(error.message)

test('sizes read as docker reads them', () => {
  const sizes: Readonly<Record<string, number>> = {
    '0': 0,
    '1024': 1024,
    '64m': 67_108_864,
    '64M': 67_108_864,
    '64mb': 67_108_864,
    '64MB': 67_108_864,
    '64MiB': 67_108_864,
    '64 MiB': 67_108_864,
    '1.5g': 1_610_612_736,
    '.5k': 512,
    '3b': 3,
    '3B': 3,
    '0.3b': 0,
    '1t': 1_099_511_627_776,
    '1p': 1_125_899_906_842_624,
  }
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseBytes(text, '--memory'), bytes, text)
  assert.equal(parseBytes(4096, 'memory'), 4096)
})

test('what is no size is refused, and the option named', () => {
  for (const text of ['', 'm', '64x', '-1', '1e3', '0x10', '64mm', '64 m b', '1.2.3g', 'Infinity', '64m\n64m', '8p']) {
    assert.throws(() => parseBytes(text, '--memory'), refused(/^cannot use .* as --memory: /), text)
  }
  for (const number of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => parseBytes(number, 'memory'), refused(/ as memory: a size is a whole number of bytes/))
  }
})

test('every whole number of every unit is that many bytes', () => {
  const units = fc.constantFrom('k', 'm', 'g', 't')
  fc.assert(
    fc.property(fc.nat(4000), units, fc.constantFrom('', 'b', 'ib'), fc.boolean(), (count, unit, suffix, upper) => {
      const text = `${count}${unit}${suffix}`
      assert.equal(parseBytes(upper ? text.toUpperCase() : text, 'size'), count * 1024 ** ('kmgt'.indexOf(unit) + 1))
    }),
  )
})

test('a formatted size reads as nearly the same size', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      const back = parseBytes(formatBytes(bytes).replace(/^8PiB$/, '7.999999PiB'), 'size')
      assert.ok(Math.abs(back - bytes) <= bytes / 1000, `${bytes} ${formatBytes(bytes)} ${back}`)
    }),
  )
  assert.equal(formatBytes(0), '0B')
  assert.equal(formatBytes(1023), '1023B')
  assert.equal(formatBytes(67_108_864), '64MiB')
  assert.equal(formatBytes(1_610_612_736), '1.5GiB')
  assert.equal(formatBytes(1024 ** 2 - 1), '1MiB')
})

test('lengths of time', () => {
  const times: Readonly<Record<string, number>> = {
    '0': 0,
    '5s': 5000,
    '500ms': 500,
    '1m30s': 90_000,
    '1.5s': 1500,
    '2h': 7_200_000,
    '250us': 0.25,
    '250µs': 0.25,
    '2000000ns': 2,
    '1h0m0.5s': 3_600_500,
  }
  for (const [text, ms] of Object.entries(times)) assert.equal(parseDuration(text, '--timeout'), ms, text)
  assert.equal(parseDuration(5000, 'timeout'), 5000)
})

test('a length of time without a unit is refused as such', () => {
  assert.throws(() => parseDuration('10', '--timeout'), refused(/^cannot use "10" as --timeout: it has no unit\n/))
  for (const text of ['', 's', '5x', '-5s', '5s 3m', '1m30', '5 s', 'five', '1e3s']) {
    assert.throws(() => parseDuration(text, '--timeout'), refused(/ as --timeout: /), text)
  }
  for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => parseDuration(ms, 'timeout'), refused(/not negative/))
  }
})

test('a formatted length of whole milliseconds reads as the same', () => {
  fc.assert(
    fc.property(fc.oneof(fc.nat(200_000), fc.nat(1e12)), (ms) => {
      assert.equal(parseDuration(formatDuration(ms), 'time'), ms, formatDuration(ms))
    }),
  )
  assert.equal(formatDuration(0), '0s')
  assert.equal(formatDuration(0.25), '0.25ms')
  assert.equal(formatDuration(93_601_000), '26h0m1s')
})

test('processors become a quota of each period, in µs', () => {
  assert.deepEqual(parseCpus('0.5', '--cpus'), { quota: 50_000, period: 100_000 })
  assert.deepEqual(parseCpus('.25', '--cpus'), { quota: 25_000, period: 100_000 })
  assert.deepEqual(parseCpus(2, 'cpus'), { quota: 200_000, period: 100_000 })
  assert.deepEqual(parseCpus(0.01, 'cpus'), { quota: 1000, period: 100_000 })
  for (const cpus of ['', 'two', '-1', '1e2', '0', '0.009', 0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e9]) {
    assert.throws(() => parseCpus(cpus, '--cpus'), refused(/ as --cpus: /), String(cpus))
  }
})

test('no text makes a parser throw anything but InputError, or return nonsense', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{1,6}[a-zA-Z]{0,3}$/)), (text) => {
      for (const parse of [parseBytes, parseDuration, (value: string, what: string) => parseCpus(value, what).quota]) {
        try {
          const value = parse(text, 'it')
          assert.ok(Number.isFinite(value) && value >= 0, `${text}: ${value}`)
        } catch (error) {
          assert.ok(error instanceof InputError, String(error))
        }
      }
    }),
    { numRuns: 500 },
  )
})
