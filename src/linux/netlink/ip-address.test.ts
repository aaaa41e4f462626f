import assert from 'node:assert/strict'
import { isIPv4, isIPv6, SocketAddress } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { InputError } from '../error.ts'
import { formatIpAddress, parseIpAddress, parseIpPrefix } from './ip-address.ts'

const parses = (text: string): 0 | 4 | 6 => {
  try {
    return parseIpAddress(text).family
  } catch (error) {
    assert.ok(error instanceof InputError, String(error))
    return 0
  }
}

test('what is written is what is read', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        // Mostly zeros, which is where the "::" goes.
        fc
          .array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 255 })), {
            minLength: 16,
            maxLength: 16,
          })
          .map((bytes) => Uint8Array.from(bytes)),
      ),
      (bytes) => {
        const parsed = parseIpAddress(formatIpAddress(bytes))
        assert.deepEqual(parsed.bytes, bytes)
        assert.equal(parsed.family, bytes.length === 4 ? 4 : 6)
      },
    ),
    { numRuns: 1000 },
  )
})

test('IPv6 is written as others write it', () => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const { bytes } = parseIpAddress(text)
      const words = Array.from({ length: 8 }, (_, index) =>
        ((bytes[index * 2] ?? 0) * 256 + (bytes[index * 2 + 1] ?? 0)).toString(16),
      )
      assert.equal(formatIpAddress(bytes), formatIpAddress(parseIpAddress(words.join(':')).bytes))
      // A URL's host is in the form of RFC 5952, but for the dotted end.
      if (!formatIpAddress(bytes).includes('.')) {
        assert.equal(`[${formatIpAddress(bytes)}]`, new URL(`http://[${text}]`).hostname)
      }
    }),
    { numRuns: 1000 },
  )
})

test('what Node takes for an address we take, and nothing else', () => {
  const character = fc.constantFrom(...'0123456789abcfF::::....%/ gx-')
  fc.assert(
    fc.property(
      fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.string({ unit: character, maxLength: 24 })),
      fc.nat(30),
      character,
      (text, at, change) => {
        for (const candidate of [text, text.slice(0, at) + change + text.slice(at + 1), text.slice(at)]) {
          const zone = candidate.includes('%')
          assert.equal(parses(candidate), zone ? 0 : isIPv4(candidate) ? 4 : isIPv6(candidate) ? 6 : 0, candidate)
        }
      },
    ),
    { numRuns: 5000 },
  )
})

test('forms that are easily got wrong', () => {
  const canonical = {
    '::': '::',
    '::1': '::1',
    '1::': '1::',
    '2001:DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '1:0:0:2:0:0:0:3': '1:0:0:2::3',
    '::ffff:10.0.0.1': '::ffff:10.0.0.1',
    '64:ff9b::10.0.0.1': '64:ff9b::a00:1',
    '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
  }
  for (const [text, expected] of Object.entries(canonical)) {
    assert.equal(formatIpAddress(parseIpAddress(text).bytes), expected)
    assert.ok(new SocketAddress({ address: expected, family: 'ipv6' }))
  }
  const bad = [
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1.2.3.4::',
    '::1.2.3',
    '1.2.3',
    '256.0.0.1',
  ]
  for (const text of [...bad, '01.2.3.4', '1.2.3.4.5', 'fe80::1%eth0', '::12345', '1:2:3:4:5:6:7:8::', ' ::1']) {
    assert.equal(parses(text), 0, text)
  }
})

test('a prefix has a length within its address', () => {
  assert.deepEqual(parseIpPrefix('10.0.0.1/24'), { family: 4, bytes: Uint8Array.of(10, 0, 0, 1), length: 24 })
  assert.equal(parseIpPrefix('10.0.0.1').length, 32)
  assert.equal(parseIpPrefix('fd00::/0').length, 0)
  assert.equal(parseIpPrefix('fd00::').length, 128)
  for (const text of ['10.0.0.1/33', 'fd00::/129', '10.0.0.1/', '10.0.0.1/-1', '10.0.0.1/08', '10.0.0.1/24/8', '/8']) {
    assert.throws(() => parseIpPrefix(text), InputError, text)
  }
})

test('the error says what to write', () => {
  assert.throws(() => parseIpAddress('nonsense'), {
    code: 'ERR_TARE_INPUT',
    message: `cannot read IP address "nonsense": it is neither an IPv4 nor an IPv6 address
Write it as 10.0.0.1 or fd00::1, without a zone.`,
  })
})
