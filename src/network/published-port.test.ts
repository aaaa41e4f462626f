import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { describePort, parsePublishedPort } from './published-port.ts'

test('ports are read as docker has them', () => {
  assert.deepEqual(parsePublishedPort('8080:80'), { hostPort: 8080, port: 80, transport: 'tcp' })
  assert.deepEqual(parsePublishedPort('127.0.0.1:5353:53/udp'), {
    hostAddress: '127.0.0.1',
    hostPort: 5353,
    port: 53,
    transport: 'udp',
  })
  const parts = { hostPort: 1, port: 65535 }
  assert.deepEqual(parsePublishedPort(parts), parts)
})

test('what is read is told in the same words', () => {
  const ports = fc.record({
    hostPort: fc.integer({ min: 1, max: 65535 }),
    port: fc.integer({ min: 1, max: 65535 }),
    transport: fc.constantFrom('tcp' as const, 'udp' as const),
    hostAddress: fc.option(fc.ipV4(), { nil: undefined }),
  })
  fc.assert(
    fc.property(ports, ({ hostAddress, ...port }) => {
      const given = { ...port, ...(hostAddress === undefined ? {} : { hostAddress }) }
      assert.deepEqual(parsePublishedPort(describePort(given)), given)
    }),
  )
})

test('what is no port is refused', () => {
  const refused = (text: string, message: RegExp): void =>
    assert.throws(() => parsePublishedPort(text), { code: 'ERR_TARE_INPUT', message })
  refused('0:80', /^cannot publish the port "0:80": 0 is no port: it is 1 to 65535\nWrite it as /)
  refused('80:65536', /65536 is no port/)
  refused('80', /it names no two ports/)
  refused('', /it names no two ports/)
  refused('a:80', /it names no two ports/)
  refused('80:80/sctp', /sctp is neither tcp nor udp/)
  refused('1.2.3:80:80', /it is neither an IPv4 nor an IPv6 address/)
  refused('::1:80:80', /it is no IPv4 address/)
  assert.throws(() => parsePublishedPort({ hostPort: 1.5, port: 1 }), { message: /1\.5 is no port/ })
  assert.throws(() => parsePublishedPort({ hostPort: 1, port: 1, hostAddress: 'here' }), { code: 'ERR_TARE_INPUT' })
})
