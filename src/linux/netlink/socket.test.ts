import assert from 'node:assert/strict'
import { test } from 'node:test'
import { syscall, trySyscall } from '../syscall.ts'
import { textAttribute, u32Attribute, encodePayload } from './attribute.ts'
import type { NetlinkMessage } from './message.ts'
import { decodeMessages, encodeMessage } from './message.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'
import { adoptNetlink, encodeRequest } from './socket.ts'

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 0x80002
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const DUMP_INTR = 0x10
const CAPPED_TLVS = 0x300

const REQUEST: NetlinkRequest = {
  operation: 'list',
  target: 'things',
  hints: { EBUSY: 'Wait.' },
  type: 26,
  flags: 0x400,
  payload: Uint8Array.of(2, 0, 0, 0),
}

/** A netlink socket whose kernel says what the test has it say, each array being a datagram. */
const scripted = (
  ...datagrams: readonly (readonly Partial<NetlinkMessage>[])[]
): Netlink & { sent(): NetlinkMessage } => {
  const pair = new Int32Array(2)
  syscall({ operation: 'make sockets' }, 'socketpair', AF_UNIX, SOCK_DGRAM_CLOEXEC, 0, pair)
  const [ours = -1, kernel = -1] = pair
  const timeout = BigInt64Array.of(0n, 50_000n)
  syscall({ operation: 'set timeout' }, 'setsockopt', ours, SOL_SOCKET, SO_RCVTIMEO, timeout, 16)
  for (const datagram of datagrams) {
    const bytes = Buffer.concat(
      datagram.map((message) =>
        encodeMessage({ type: 24, flags: 2, sequence: 1, port: 7, payload: new Uint8Array(0), ...message }),
      ),
    )
    syscall({ operation: 'write' }, 'write', kernel, bytes, bytes.length)
  }
  const netlink = adoptNetlink(ours)
  return {
    fd: ours,
    request: (request) => netlink.request(request),
    dump: (request) => netlink.dump(request),
    transaction: (requests) => netlink.transaction(requests),
    close: () => netlink.close(),
    sent: () => {
      const bytes = Buffer.alloc(4096)
      const length = syscall({ operation: 'read' }, 'read', kernel, bytes, bytes.length)
      const [message] = decodeMessages(bytes.subarray(0, length))
      assert.ok(message !== undefined)
      return message
    },
    [Symbol.dispose]: () => {
      netlink.close()
      trySyscall('close', kernel)
    },
  }
}

const words = (...values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer)
const done = (errno = 0): Partial<NetlinkMessage> => ({ type: 3, payload: words(-errno) })
const acknowledged = (errno = 0): Partial<NetlinkMessage> => ({
  type: 2,
  flags: 0x100,
  payload: words(-errno, 20, 0, 1, 0),
})
const entry = (value: number): Partial<NetlinkMessage> => ({ payload: words(value) })
const values = (messages: readonly NetlinkMessage[]): readonly number[] =>
  messages.map(({ payload }) => payload[0] ?? -1)

test('a list is read to its end, over several datagrams', () => {
  using netlink = scripted([entry(1), entry(2)], [entry(3)], [done()])
  assert.deepEqual(values(netlink.dump(REQUEST)), [1, 2, 3])
  const { type, flags, sequence, payload } = netlink.sent()
  assert.deepEqual({ type, flags, sequence }, { type: 26, flags: 0x400 | 0x301, sequence: 1 })
  assert.deepEqual(payload, Buffer.from(REQUEST.payload))
})

test('a list that changed while it was read is read again', () => {
  using netlink = scripted(
    [entry(1), { flags: 2 | DUMP_INTR, payload: words(2) }],
    [{ ...done(), flags: 2 | DUMP_INTR }],
    [{ ...entry(1), sequence: 2 }],
    [
      { ...entry(3), sequence: 2 },
      { ...done(), sequence: 2 },
    ],
  )
  assert.deepEqual(values(netlink.dump(REQUEST)), [1, 3])
})

test('a list that changes for ever is given up', () => {
  const changing = Array.from({ length: 10 }, (_, index) => [{ ...done(), flags: 2 | DUMP_INTR, sequence: index + 1 }])
  using netlink = scripted(...changing)
  assert.throws(() => netlink.dump(REQUEST), {
    code: 'EINTR',
    message: 'cannot list things: it changed each time while it was read',
  })
})

test('what belongs to an earlier request is passed over', () => {
  using netlink = scripted([{ ...acknowledged(16), sequence: 0 }, entry(9)], [acknowledged()])
  assert.deepEqual(values(netlink.request(REQUEST)), [9])
})

test('a datagram larger than the buffer is read whole', () => {
  using netlink = scripted([{ payload: new Uint8Array(100_000).fill(5) }], [acknowledged()])
  assert.deepEqual(netlink.request(REQUEST)[0]?.payload, new Uint8Array(100_000).fill(5))
})

test('an error has its number, its hint, and the explanation of the kernel', () => {
  using plain = scripted([acknowledged(16)])
  assert.throws(() => plain.request(REQUEST), {
    code: 'EBUSY',
    errno: 16,
    message: 'cannot list things: EBUSY (device or resource busy)\nWait.',
  })
  const payload = encodePayload(words(-22, 20, 0, 1, 0), [u32Attribute(2, 4), textAttribute(1, 'Too odd')])
  using explained = scripted([{ type: 2, flags: CAPPED_TLVS, payload }])
  assert.throws(() => explained.request(REQUEST), {
    code: 'EINVAL',
    message: 'cannot list things: EINVAL (invalid argument): the kernel says "Too odd"',
  })
  using listed = scripted([entry(1)], [done(16)])
  assert.throws(() => listed.dump(REQUEST), { code: 'EBUSY' })
  using refused = scripted([acknowledged(1)])
  assert.throws(() => refused.dump(REQUEST), { code: 'EPERM', hint: /CAP_NET_ADMIN/ })
})

test('an acknowledgement that repeats the request is understood', () => {
  const repeated = Buffer.concat([
    words(-22, 20, 0, 1, 0, 99),
    encodePayload(new Uint8Array(0), [textAttribute(1, 'No')]),
  ])
  using netlink = scripted([{ type: 2, flags: 0x200, payload: repeated }])
  assert.throws(() => netlink.request(REQUEST), { message: /the kernel says "No"/ })
})

test('a kernel that is silent is not waited for for ever', () => {
  using netlink = scripted()
  assert.throws(() => netlink.request(REQUEST), {
    code: 'ETIMEDOUT',
    message: 'cannot list things: the kernel did not answer',
  })
})

test('a closed socket is not used', () => {
  using netlink = scripted([acknowledged()])
  netlink.close()
  netlink.close()
  assert.throws(() => netlink.request(REQUEST), { message: 'cannot use netlink socket: it is closed' })
})

test('a request can be sent by who has no socket', () => {
  const [message] = decodeMessages(encodeRequest(REQUEST, 5))
  assert.deepEqual(message, { type: 26, flags: 0x405, sequence: 5, port: 0, payload: REQUEST.payload })
})

test('a transaction is sent as a whole, and the first request that is refused is what its error names', () => {
  const second = { ...REQUEST, target: 'other things' }
  using netlink = scripted([
    { ...acknowledged(), sequence: 2 },
    { ...acknowledged(16), sequence: 3 },
  ])
  assert.throws(() => netlink.transaction([REQUEST, second]), {
    code: 'EBUSY',
    message: 'cannot list other things: EBUSY (device or resource busy)\nWait.',
  })
  using refused = scripted([{ ...acknowledged(1), sequence: 1 }])
  assert.throws(() => refused.transaction([REQUEST, second]), { code: 'EPERM', message: /^cannot list things: / })
  using accepted = scripted([{ ...acknowledged(), sequence: 3 }], [{ ...acknowledged(), sequence: 2 }])
  accepted.transaction([REQUEST, second])
  const { type, flags, sequence, payload } = accepted.sent()
  assert.deepEqual({ type, flags, sequence }, { type: 0x10, flags: 1, sequence: 1 })
  assert.deepEqual([...payload], [0, 0, 0, 10])
})
