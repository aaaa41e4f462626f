import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { TareError } from '../error.ts'
import { decodeAddress } from './address.ts'
import type { Attribute } from './attribute.ts'
import { Attributes, encodePayload, nestedAttribute, textAttribute, u16beAttribute, u32Attribute } from './attribute.ts'
import { decodeLink } from './link.ts'
import type { NetlinkMessage } from './message.ts'
import { decodeAcknowledgement, decodeMessages, encodeMessage } from './message.ts'
import { decodeNeighbour } from './neighbour.ts'
import { decodeRoute } from './route.ts'
import { decodeRule } from './rule.ts'

const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const message: fc.Arbitrary<NetlinkMessage> = fc.record(
  {
    type: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    payload: fc.uint8Array({ maxLength: 64 }),
  },
  { noNullPrototype: true },
)

const concat = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))

/** Does it, and says whether it refused the bytes as it should. */
const refused = (act: () => unknown): boolean => {
  try {
    act()
    return false
  } catch (error) {
    assert.ok(error instanceof TareError, String(error))
    assert.equal(error.code, 'ERR_TARE_NETLINK')
    return true
  }
}

test('messages come out as they went in', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
      assert.deepEqual(decodeMessages(concat(messages.map(encodeMessage))), messages)
    }),
  )
})

test('attributes come out as they went in', () => {
  const attribute: fc.Arbitrary<Attribute> = fc.record({
    type: fc.integer({ min: 0, max: 0x3fff }),
    value: fc.uint8Array({ maxLength: 40 }),
  })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 16 }), fc.array(attribute, { maxLength: 8 }), (header, list) => {
      const bytes = encodePayload(header, [undefined, ...list])
      const decoded = new Attributes(bytes.subarray((header.length + 3) & ~3))
      const last = new Map(list.map(({ type, value }) => [type, value]))
      assert.deepEqual(decoded.types, [...last.keys()])
      for (const [type, value] of last) assert.deepEqual(decoded.bytes(type), value)
    }),
  )
})

test('attributes lie as netlink(7) has them', () => {
  const bytes = encodePayload(Uint8Array.of(1, 2), [
    u32Attribute(4, 1500),
    textAttribute(3, 'ab'),
    nestedAttribute(18, [u16beAttribute(5, 0x88a8)]),
  ])
  assert.equal(
    Buffer.from(bytes).toString('hex'),
    ['01020000', '08000400dc050000', '0700030061620000', '0c001280', '0600050088a80000'].join(''),
  )
})

test('random bytes never lead a decoder astray', () => {
  const decoders: readonly ((bytes: Uint8Array) => unknown)[] = [
    decodeMessages,
    (bytes) => new Attributes(bytes),
    decodeLink,
    decodeAddress,
    decodeRoute,
    decodeNeighbour,
    decodeRule,
  ]
  // Plausible attributes: short lengths, and types that the decoders look at.
  const attribute = fc
    .tuple(fc.integer({ min: 0, max: 24 }), fc.integer({ min: 0, max: 40 }), fc.uint8Array({ maxLength: 24 }))
    .map(([length, type, value]) => Uint8Array.of(length, 0, type, 0, ...value))
  const family = fc.constantFrom(2, 10)
  const plausible = fc
    .tuple(family, fc.uint8Array({ minLength: 7, maxLength: 15 }), fc.array(attribute))
    .map(([first, header, attributes]) => concat([Uint8Array.of(first), header, ...attributes]))
  let refusals = 0
  let decoded = 0
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 128 }), plausible), (bytes) => {
      for (const decode of decoders) {
        if (refused(() => decode(bytes))) refusals++
        else decoded++
      }
    }),
    { numRuns: 5000 },
  )
  assert.ok(refusals > 1000 && decoded > 1000, `${refusals} refused, ${decoded} decoded`)
})

test('random acknowledgements lead to a number and a place within them', () => {
  fc.assert(
    fc.property(fc.constantFrom(2, 3), u16, fc.uint8Array({ maxLength: 64 }), (type, flags, payload) => {
      let result = { errno: 0, attributes: 0 }
      const acknowledgement = { type, flags, sequence: 1, port: 0, payload }
      if (refused(() => (result = decodeAcknowledgement(acknowledgement)))) return
      assert.ok(result.errno >= 0 && result.errno <= 4095)
      assert.ok(result.attributes >= 0 && result.attributes <= payload.length)
    }),
    { numRuns: 5000 },
  )
})

test('a length of zero is an error, not a loop', () => {
  assert.throws(() => decodeMessages(new Uint8Array(32)), {
    code: 'ERR_TARE_NETLINK',
    message: 'cannot decode netlink message: its length 0 at 0 is not within 16 to 32',
  })
  assert.throws(() => new Attributes(new Uint8Array(8)), { code: 'ERR_TARE_NETLINK' })
  assert.throws(() => new Attributes(Uint8Array.of(12, 0, 1, 0, 0, 0, 0, 0)), { code: 'ERR_TARE_NETLINK' })
})

test('a next hop of a wrong length is an error, not a loop', () => {
  const hops = { type: 9, value: Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0) }
  const header = Uint8Array.of(2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0)
  assert.throws(() => decodeRoute(encodePayload(header, [hops])), {
    message: 'cannot decode next hop: its length 0 at 0 is wrong',
  })
})
