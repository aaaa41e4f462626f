import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LinkAddress } from '../linux/netlink/address.ts'
import type { Route } from '../linux/netlink/route.ts'
import { choosePair, knownRanges, pairNumber, pairOf } from './address-pair.ts'

const route = (destination: string, family: 4 | 6 = 4): Route => ({
  family,
  destination,
  type: 'unicast',
  nextHops: [],
  metric: 0,
  table: 254,
  scope: 'global',
  protocol: 3,
  source: undefined,
})

const address = (text: string, length: number): LinkAddress => ({
  family: 4,
  address: text,
  length,
  peer: undefined,
  broadcast: undefined,
  label: undefined,
  scope: 'global',
  link: 1,
  tentative: false,
  duplicate: false,
  permanent: true,
})

const all = (): boolean => true

test('the first pair is chosen that no route leads to and nobody has', () => {
  const known = knownRanges([route('default'), route('fd00::/8', 6), route('192.0.2.0/24')], [])
  assert.deepEqual(choosePair(known, all), { host: '10.213.0.2', container: '10.213.0.3' })
  const next = knownRanges([route('10.213.0.2/31'), route('10.213.0.4/30')], [])
  assert.deepEqual(choosePair(next, all), { host: '10.213.0.8', container: '10.213.0.9' })
  const taken = ['10.213.0.3', '10.213.0.5']
  assert.deepEqual(
    choosePair([], ({ container }) => !taken.includes(container)),
    { host: '10.213.0.6', container: '10.213.0.7' },
  )
})

test('addresses that look like those of a network are left out', () => {
  const known = knownRanges([route('10.213.0.0/25'), route('10.213.0.128/26'), route('10.213.0.192/27')], [])
  const more = knownRanges([route('10.213.0.224/28'), route('10.213.0.240/29'), route('10.213.0.248/30')], [])
  const last = knownRanges([route('10.213.0.252/31')], [])
  assert.deepEqual(choosePair([...known, ...more, ...last], all), { host: '10.213.1.2', container: '10.213.1.3' })
})

test('where a host has a route to a whole pool, the next is taken; where to all, that is said', () => {
  const vpn = knownRanges([route('10.0.0.0/8')], [])
  assert.deepEqual(choosePair(vpn, all), { host: '172.29.0.2', container: '172.29.0.3' })
  const more = knownRanges([route('10.0.0.0/8'), route('172.16.0.0/12')], [])
  assert.deepEqual(choosePair(more, all), { host: '192.168.213.2', container: '192.168.213.3' })
  assert.throws(() => choosePair(knownRanges([route('0.0.0.0/1'), route('128.0.0.0/1')], []), all), {
    code: 'ERR_TARE_INPUT',
    message: /^cannot choose an address for the container: this host has routes to all of 10\.213\.0\.0\/16, /,
  })
})

test('an address that is asked for has the one beside it for the host', () => {
  assert.deepEqual(pairOf('10.1.2.3', []), { host: '10.1.2.2', container: '10.1.2.3' })
  assert.deepEqual(pairOf('10.1.2.2', []), { host: '10.1.2.3', container: '10.1.2.2' })
  assert.equal(pairNumber(pairOf('10.1.2.3', [])), pairNumber(pairOf('10.1.2.2', [])))
})

test('an address that can not be had is refused', () => {
  const known = knownRanges([route('10.1.0.0/16')], [address('10.9.9.1', 24)])
  const refused = (text: string, reason: RegExp): void =>
    assert.throws(() => pairOf(text, known), { code: 'ERR_TARE_INPUT', message: reason })
  refused('10.1.2.3', /use the address 10\.1\.2\.3: it is in use: this host has an address in 10\.1\.0\.0\/16, or/)
  refused('10.9.9.255', /this host has an address in 10\.9\.9\.1\/24, or/)
  refused('127.0.0.2', /no host can have it/)
  refused('0.1.2.3', /no host can have it/)
  refused('224.0.0.1', /no host can have it/)
  refused('255.255.255.255', /no host can have it/)
  refused('fd00::2', /it is no IPv4 address/)
  refused('10.1.2', /it is neither an IPv4 nor an IPv6 address/)
})
