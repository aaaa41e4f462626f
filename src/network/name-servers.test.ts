import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameServerFile } from './name-servers.ts'

const files =
  (etc: string, upstream = '') =>
  (path: string): readonly string[] =>
    (path === '/etc/resolv.conf' ? etc : upstream).split('\n')

test("the host's name servers are taken, with what else it says of names", () => {
  const text = '# made by hand\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch example.org\noptions ndots:2\n'
  assert.equal(
    nameServerFile([], files(text)),
    'nameserver 192.0.2.1\nnameserver 2001:db8::1\nsearch example.org\noptions ndots:2\n',
  )
})

test("a name server on the host's loopback is another in the container: those that it asks are taken", () => {
  const stub = 'nameserver 127.0.0.53\noptions edns0\n'
  assert.equal(
    nameServerFile([], files(stub, 'nameserver 192.0.2.7\nnameserver fe80::1%2\n')),
    'nameserver 192.0.2.7\noptions edns0\n',
  )
  assert.equal(
    nameServerFile([], files(`nameserver 192.0.2.9\n${stub}`, 'nameserver 192.0.2.7\n')),
    'nameserver 192.0.2.9\noptions edns0\n',
  )
  assert.equal(nameServerFile([], files('nameserver ::1\n')), '')
})

test('those that are given are the only ones', () => {
  assert.equal(
    nameServerFile(['198.51.100.1', 'fd00::53'], files('nameserver 192.0.2.1\nsearch example.org\n')),
    'nameserver 198.51.100.1\nnameserver fd00::53\nsearch example.org\n',
  )
})
