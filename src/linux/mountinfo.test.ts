import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import { parseFsContextMessage } from './fs-context-log.ts'
import { escapeMountPath, parseMountinfo, parseMountinfoLine, readMountinfo, unescapeMountPath } from './mountinfo.ts'

test('a line with all its fields', () => {
  const line =
    '36 35 98:0 /a\\040b /mnt\\011x rw,noatime shared:1 master:2 propagate_from:3 - fuse.sshfs h:/d\\134 rw,a=b'
  assert.deepEqual(parseMountinfoLine(line), {
    id: 36,
    parent: 35,
    major: 98,
    minor: 0,
    root: '/a b',
    mountPoint: '/mnt\tx',
    options: ['rw', 'noatime'],
    shared: 1,
    master: 2,
    propagateFrom: 3,
    unbindable: false,
    type: 'fuse.sshfs',
    source: 'h:/d\\',
    superOptions: ['rw', 'a=b'],
  })
})

test('a line without optional fields, one that is unbindable, one with an empty source', () => {
  const plain = parseMountinfoLine('1 1 0:2 / / rw - rootfs rootfs rw')
  assert.deepEqual([plain.shared, plain.master, plain.unbindable], [undefined, undefined, false])
  assert.equal(parseMountinfoLine('1 1 0:2 / / rw unbindable - tmpfs x rw').unbindable, true)
  assert.equal(parseMountinfoLine('1 1 0:2 / / rw - tmpfs  rw').source, '')
})

test('a comma within a directory of overlay is not a separator', () => {
  const line = '1 1 0:2 / / rw - overlay overlay rw,lowerdir=/a\\134,b:/c\\040d,upperdir=/u'
  assert.deepEqual(parseMountinfoLine(line).superOptions, ['rw', 'lowerdir=/a\\,b:/c d', 'upperdir=/u'])
})

test('escaping and unescaping are each other’s reverse', () => {
  const text = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\\', '#', 'a', '0', '4', 'ü', '/') })
  fc.assert(
    fc.property(text, (path) => {
      assert.equal(unescapeMountPath(escapeMountPath(path)), path)
      assert.doesNotMatch(escapeMountPath(path), /[ \t\n#]/)
    }),
  )
})

test('any paths come through a line', () => {
  const path = fc.string({ unit: 'binary-ascii', minLength: 1 }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(path, path, path, (root, mountPoint, source) => {
      const [a, b, c] = [root, mountPoint, source].map(escapeMountPath)
      const info = parseMountinfoLine(`9 8 7:6 ${a} ${b} ro shared:5 - ext4 ${c} rw`)
      assert.deepEqual([info.root, info.mountPoint, info.source, info.shared], [root, mountPoint, source, 5])
    }),
  )
})

test('white space that the kernel does not escape is part of what users name', () => {
  for (const space of ['\r', '\v', '\f', '\u00a0', '\u2028', '\ufeff']) {
    const [mount, ...others] = parseMountinfo(`36 35 98:0 /a${space}b /c${space} rw - tmpfs ${space} rw,x=${space}1\n`)
    assert.deepEqual(
      [mount?.root, mount?.mountPoint, mount?.source, mount?.superOptions, others],
      [`/a${space}b`, `/c${space}`, space, ['rw', `x=${space}1`], []],
    )
  }
})

test('a line of another form is refused', () => {
  for (const line of ['', 'x', '1 2 3 / / rw - a b c', '1 2 3:4 / / rw a b c']) {
    assert.throws(() => parseMountinfoLine(line), TareError, line)
  }
})

test('the mounts of this process form a tree', () => {
  const mounts = readMountinfo()
  assert.ok(mounts.some(({ mountPoint }) => mountPoint === '/proc'))
  assert.equal(new Set(mounts.map(({ id }) => id)).size, mounts.length)
  assert.deepEqual(parseMountinfo(''), [])
})

test('messages of a file system context carry their level', () => {
  assert.deepEqual(parseFsContextMessage('e tmpfs: Bad value\n'), { level: 'error', text: 'tmpfs: Bad value' })
  assert.deepEqual(parseFsContextMessage('w x'), { level: 'warning', text: 'x' })
  assert.deepEqual(parseFsContextMessage('i x'), { level: 'info', text: 'x' })
  assert.deepEqual(parseFsContextMessage('else'), { level: 'info', text: 'else' })
})
