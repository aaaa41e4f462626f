import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseUnixSockets } from './unix-sockets.ts'

const TEXT = `Num       RefCount Protocol Flags    Type St Inode Path
00000000d278dd0d: 00000003 00000000 00000000 0001 03  1148
00000000169e7b63: 00000002 00000000 00010000 0001 01 12345 /run/docker.sock
0000000000000000: 00000002 00000000 00010000 0005 01 12346 @/containerd-shim/a b.sock@
0000000000000001: 00000002 00000000 00000000 0002 01 12347 /dev/log
`

test('Unix sockets with a name', () => {
  assert.deepEqual(parseUnixSockets(TEXT), [
    { name: '/run/docker.sock', abstract: false, listening: true, inode: 12345 },
    { name: '/containerd-shim/a b.sock@', abstract: true, listening: true, inode: 12346 },
    { name: '/dev/log', abstract: false, listening: false, inode: 12347 },
  ])
})

test('any text is read without failing, and a name comes back as it was', () => {
  fc.assert(
    fc.property(fc.string(), fc.boolean(), fc.nat(), (tail, abstract, inode) => {
      const name = `/x${tail.replaceAll('\n', '')}`
      const line = `0000000000000000: 00000002 00000000 00010000 0001 01 ${inode} ${abstract ? '@' : ''}${name}`
      assert.deepEqual(parseUnixSockets(`${tail}\n${line}\n`).at(-1), { name, abstract, listening: true, inode })
    }),
  )
})

test('what the kernel of this host writes', async (t) => {
  const name = `tare-test-${process.pid}`
  const server = createServer().listen(`\0${name}`)
  t.after(() => server.close())
  await once(server, 'listening')
  const found = parseUnixSockets(readFileSync('/proc/self/net/unix', 'utf8')).find((each) => each.name.startsWith(name))
  assert.equal(found?.abstract, true)
  assert.equal(found?.listening, true)
})
