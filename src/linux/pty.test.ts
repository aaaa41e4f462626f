import assert from 'node:assert/strict'
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import {
  decodeWindowSize,
  encodeWindowSize,
  getWindowSize,
  isTerminal,
  openPty,
  openPtyPeer,
  setWindowSize,
} from './pty.ts'
import { decodeTermios, encodeTermios, enterRawMode, getTermios, makeRaw, setTermios, VMIN, VTIME } from './termios.ts'

const word = fc.nat({ max: 0xffffffff })
const termios = fc.record(
  {
    iflag: word,
    oflag: word,
    cflag: word,
    lflag: word,
    line: fc.nat({ max: 255 }),
    cc: fc.array(fc.nat({ max: 255 }), { minLength: 19, maxLength: 19 }),
  },
  { noNullPrototype: true },
)

test('struct termios is encoded and decoded', () => {
  fc.assert(fc.property(termios, (settings) => assert.deepEqual(decodeTermios(encodeTermios(settings)), settings)))
  assert.throws(() => decodeTermios(new Uint8Array(35)), TareError)
  assert.throws(() => encodeTermios({ iflag: 0, oflag: 0, cflag: 0, lflag: 0, line: 0, cc: [] }), TareError)
})

test('raw settings stay raw, and encode', () => {
  fc.assert(
    fc.property(termios, (settings) => {
      const raw = makeRaw(settings)
      assert.deepEqual(makeRaw(raw), raw)
      assert.deepEqual(decodeTermios(encodeTermios(raw)), raw)
      assert.deepEqual([raw.cc[VMIN], raw.cc[VTIME], raw.line], [1, 0, settings.line])
    }),
  )
})

test('struct winsize is encoded and decoded', () => {
  const half = fc.nat({ max: 0xffff })
  fc.assert(
    fc.property(
      fc.record({ rows: half, columns: half, width: half, height: half }, { noNullPrototype: true }),
      (size) => {
        assert.deepEqual(decodeWindowSize(encodeWindowSize(size)), size)
      },
    ),
  )
  assert.throws(() => encodeWindowSize({ rows: 65536, columns: 1 }), TareError)
  assert.throws(() => encodeWindowSize({ rows: -1, columns: 1 }), TareError)
  assert.throws(() => decodeWindowSize(new Uint8Array(4)), TareError)
})

test('a terminal is made, sized, made raw and restored', () => {
  const { fd, number } = openPty()
  const peer = openPtyPeer(fd)
  try {
    assert.ok(number >= 0)
    assert.equal(isTerminal(peer), true)
    setWindowSize(fd, { rows: 50, columns: 132 })
    assert.deepEqual(getWindowSize(peer), { rows: 50, columns: 132, width: 0, height: 0 })

    writeSync(peer, 'a\n')
    const buffer = Buffer.alloc(16)
    assert.equal(buffer.toString('latin1', 0, readSync(fd, buffer)), 'a\r\n')

    const before = enterRawMode(peer)
    assert.deepEqual(getTermios(peer), makeRaw(before))
    assert.notDeepEqual(getTermios(peer), before)
    writeSync(peer, 'b\n')
    assert.equal(buffer.toString('latin1', 0, readSync(fd, buffer)), 'b\n')
    writeSync(fd, '\u0003')
    assert.equal(buffer.toString('latin1', 0, readSync(peer, buffer)), '\u0003')

    setTermios(peer, before, 'flush')
    assert.deepEqual(getTermios(peer), before)
  } finally {
    closeSync(peer)
    closeSync(fd)
  }
})

test('what is no terminal says so', () => {
  const fd = openSync('/dev/null', 'r')
  try {
    assert.equal(isTerminal(fd), false)
    assert.throws(
      () => getTermios(fd),
      /cannot read the terminal settings of descriptor [0-9]+: ENOTTY \(not a terminal\)/,
    )
    assert.throws(() => getWindowSize(fd), /ENOTTY/)
    assert.throws(() => openPtyPeer(fd), /ENOTTY/)
    assert.throws(() => openPty('/dev/null'), /cannot make a terminal from \/dev\/null: ENOTTY/)
    assert.throws(() => openPty('/nowhere'), /ENOENT.*\nA devpts must be mounted/)
  } finally {
    closeSync(fd)
  }
})
