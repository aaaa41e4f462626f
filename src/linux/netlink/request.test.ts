import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { addAddressRequest, decodeAddress } from './address.ts'
import { Attributes } from './attribute.ts'
import { formatIpAddress } from './ip-address.ts'
import { createLinkRequest, setLinkRequest } from './link-change.ts'
import { decodeLink } from './link.ts'
import { addRouteRequest, decodeRoute } from './route.ts'
import { addRuleRequest, decodeRule } from './rule.ts'

/** What a request says, read as what the kernel says. */
const index = fc.integer({ min: 1, max: 0x7fffffff })
const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,14}$/)
const mac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':'))
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const address4 = bytesOf(4).map(formatIpAddress)
const address6 = bytesOf(16).map(formatIpAddress)
const prefix = fc.oneof(
  fc.tuple(address4, fc.integer({ min: 1, max: 32 })),
  fc.tuple(address6, fc.integer({ min: 1, max: 128 })),
)
const family = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4)

test('a request for a link says what was asked for, and of its peer, too', () => {
  fc.assert(
    fc.property(name, name, index, mac, fc.boolean(), fc.nat(65_535), (first, second, number, address, up, mtu) => {
      const { payload } = createLinkRequest({
        kind: 'veth',
        name: first,
        index: number,
        up,
        mtu,
        mac: address,
        peer: { name: second, mac: address, namespace: { fd: 9 } },
      })
      const link = decodeLink(payload)
      assert.deepEqual([link.name, link.index, link.kind, link.up, link.mtu], [first, number, 'veth', up, mtu])
      const peer = new Attributes(payload.subarray(16)).nested(18).nested(2).bytes(1) ?? new Uint8Array(0)
      assert.equal(decodeLink(peer).name, second)
      assert.equal(new Attributes(peer.subarray(16)).u32(28), 9)
      assert.deepEqual(new Attributes(peer.subarray(16)).bytes(1), new Attributes(payload.subarray(16)).bytes(1))
    }),
  )
})

test('to set the loopback link up takes 16 bytes', () => {
  const { payload, type } = setLinkRequest(1, { up: true })
  assert.equal(type, 19)
  assert.equal(Buffer.from(payload).toString('hex'), '00000000010000000100000001000000')
})

test('a request for an address says what was asked for', () => {
  fc.assert(
    fc.property(prefix, index, ([address, length], link) => {
      const { payload } = addAddressRequest(link, { address: `${address}/${length}`, detectDuplicates: false })
      const decoded = decodeAddress(payload)
      assert.deepEqual(
        [decoded?.address, decoded?.length, decoded?.link, decoded?.peer, decoded?.family],
        [address, length, link, undefined, family(address)],
      )
      assert.equal(decoded?.scope, address.startsWith('127.') ? 'host' : 'global')
      assert.equal(payload[2], family(address) === 6 ? 2 : 0, 'IFA_F_NODAD')
    }),
  )
})

test('a request for a route says what was asked for', () => {
  const table = fc.integer({ min: 1, max: 0xffffffff })
  fc.assert(
    fc.property(
      prefix,
      fc.option(address6),
      index,
      table,
      fc.nat(),
      ([address, length], via6, link, number, metric) => {
        const destination = `${address}/${length}`
        const via = via6 === null ? {} : { via: via6 }
        const route = decodeRoute(addRouteRequest({ destination, link, table: number, metric, ...via }).payload)
        assert.deepEqual(route, {
          family: family(address),
          destination,
          type: 'unicast',
          nextHops: [{ via: via6 ?? undefined, link, weight: 1 }],
          metric,
          table: number,
          scope: via6 === null ? 'link' : 'global',
          protocol: 3,
          source: undefined,
        })
      },
    ),
  )
})

test('the family of a default route comes from its gateway', () => {
  const familyOf = (via: string): number | undefined =>
    decodeRoute(addRouteRequest({ destination: 'default', via }).payload)?.family
  assert.equal(familyOf('10.0.0.1'), 4)
  assert.equal(familyOf('fd00::1'), 6)
})

test('a request for a rule says what was asked for', () => {
  const number = fc.integer({ min: 1, max: 0xffffffff })
  fc.assert(
    fc.property(prefix, name, number, number, ([address, length], incoming, priority, table) => {
      const source = `${address}/${length}`
      const { payload } = addRuleRequest({ family: family(address), priority, source, incoming, table, mark: 5 })
      const { destination, outgoing, markMask, ...rule } = decodeRule(payload) ?? { destination: 'none' }
      assert.deepEqual([destination, outgoing, markMask], [undefined, undefined, undefined])
      const expected = { family: family(address), priority, source, incoming, table, mark: 5, action: 'table' }
      assert.deepEqual(rule, expected)
    }),
  )
})
