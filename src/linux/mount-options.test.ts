import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { encodeMountAttr } from './mount-attr.ts'
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
} from './mount-flags.ts'
import { mountOptionWords, parseMountOptions, splitFilesystemOption, splitMountOptions } from './mount-options.ts'

const nothing = {
  attributes: { set: 0, clear: 0 },
  recursive: { set: 0, clear: 0 },
  propagation: [],
  bind: undefined,
  remount: false,
  idmap: undefined,
  copyUp: false,
  superblock: [],
  data: [],
}

test('no options mean nothing', () => {
  assert.deepEqual(parseMountOptions([]), nothing)
  assert.deepEqual(
    parseMountOptions(['defaults', 'silent', 'loud', 'norelatime', 'rnorelatime', 'iversion', 'noiversion', '']),
    nothing,
  )
})

test('the usual options of a tmpfs are sorted', () => {
  assert.deepEqual(parseMountOptions(['nosuid', 'noexec', 'nodev', 'size=65536k', 'mode=755', 'nr_inodes=1k']), {
    ...nothing,
    attributes: { set: MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV, clear: 0 },
    data: [
      { key: 'size', value: '65536k' },
      { key: 'mode', value: '755' },
      { key: 'nr_inodes', value: '1k' },
    ],
  })
})

test('each word of an attribute sets one bit, and its opposite clears it', () => {
  const pairs: readonly (readonly [string, string, number])[] = [
    ['ro', 'rw', MOUNT_ATTR_RDONLY],
    ['nosuid', 'suid', MOUNT_ATTR_NOSUID],
    ['nodev', 'dev', MOUNT_ATTR_NODEV],
    ['noexec', 'exec', MOUNT_ATTR_NOEXEC],
    ['nodiratime', 'diratime', MOUNT_ATTR_NODIRATIME],
    ['nosymfollow', 'symfollow', MOUNT_ATTR_NOSYMFOLLOW],
  ]
  for (const [on, off, bit] of pairs) {
    assert.deepEqual(parseMountOptions([on]), { ...nothing, attributes: { set: bit, clear: 0 } })
    assert.deepEqual(parseMountOptions([off]), { ...nothing, attributes: { set: 0, clear: bit } })
    assert.deepEqual(parseMountOptions([on, off]), { ...nothing, attributes: { set: 0, clear: bit } })
    assert.deepEqual(parseMountOptions([off, on]), { ...nothing, attributes: { set: bit, clear: 0 } })
    assert.deepEqual(parseMountOptions([`r${on}`]), { ...nothing, recursive: { set: bit, clear: 0 } })
    assert.deepEqual(parseMountOptions([`r${off}`]), { ...nothing, recursive: { set: 0, clear: bit } })
  }
})

test('access time is one setting: the last word counts, and an undoing word undoes its own only', () => {
  const atime = (...words: string[]): number => {
    const { set, clear } = parseMountOptions(words).attributes
    assert.equal(clear, MOUNT_ATTR__ATIME)
    return set
  }
  assert.equal(atime('noatime'), MOUNT_ATTR_NOATIME)
  assert.equal(atime('strictatime'), MOUNT_ATTR_STRICTATIME)
  assert.equal(atime('relatime'), 0)
  assert.equal(atime('noatime', 'relatime'), 0)
  assert.equal(atime('noatime', 'atime'), 0)
  assert.equal(atime('atime'), 0)
  assert.equal(atime('noatime', 'nostrictatime'), MOUNT_ATTR_NOATIME)
  assert.equal(atime('strictatime', 'atime'), MOUNT_ATTR_STRICTATIME)
  assert.equal(atime('strictatime', 'nostrictatime'), 0)
  const recursive = { set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME }
  assert.deepEqual(parseMountOptions(['rnoatime']), { ...nothing, recursive })
})

test('propagation keeps its order; rbind, rshared and others are not recursive attributes', () => {
  assert.deepEqual(parseMountOptions(['rbind', 'rslave', 'shared']), {
    ...nothing,
    bind: 'rbind',
    propagation: [
      { type: 'slave', recursive: true },
      { type: 'shared', recursive: false },
    ],
  })
  for (const type of ['private', 'shared', 'slave', 'unbindable'] as const) {
    assert.deepEqual(parseMountOptions([`r${type}`]).propagation, [{ type, recursive: true }])
  }
})

test('switches of the superblock, and words for us alone', () => {
  assert.deepEqual(parseMountOptions(['sync', 'lazytime', 'async', 'dirsync', 'nodirsync']).superblock, [
    'lazytime',
    'async',
  ])
  assert.deepEqual(parseMountOptions(['remount', 'bind', 'ridmap', 'tmpcopyup']), {
    ...nothing,
    remount: true,
    bind: 'bind',
    idmap: 'ridmap',
    copyUp: true,
  })
})

test('an unknown word stays for the file system', () => {
  const words = ['rfoo', 'acl', 'context="a,b"', 'lowerdir=/a:/b', 'x-thing', 'r', 'toString', 'rtoString', 'empty=']
  const { data, ...rest } = parseMountOptions(words)
  assert.deepEqual({ ...rest, data: [] }, nothing)
  assert.deepEqual(data, words.map(splitFilesystemOption))
  assert.deepEqual(splitFilesystemOption('a=b=c'), { key: 'a', value: 'b=c' })
  assert.deepEqual(splitFilesystemOption('empty='), { key: 'empty', value: '' })
})

test('whatever the options, mount_setattr(2) can encode what comes of them', () => {
  const atime = ['noatime', 'atime', 'relatime', 'strictatime', 'nostrictatime', 'nodiratime']
  const word = fc.constantFrom('ro', 'rw', 'suid', 'size=1', ...atime, 'rro', 'rrw', ...atime.map((each) => `r${each}`))
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      const { attributes, recursive } = parseMountOptions(words)
      for (const change of [attributes, recursive]) {
        assert.equal(encodeMountAttr(change).length, 32)
        assert.equal(change.set & change.clear & ~MOUNT_ATTR__ATIME, 0)
      }
    }),
  )
})

test('a line of options is split at commas, but not within quotes', () => {
  assert.deepEqual(splitMountOptions('ro,,size=64m,context="u:r,c0"'), ['ro', 'size=64m', 'context=u:r,c0'])
  assert.deepEqual(splitMountOptions(''), [])
  const plain = fc.array(fc.stringMatching(/^[a-z=0-9:/]{1,8}$/), { maxLength: 8 })
  fc.assert(fc.property(plain, (words) => assert.deepEqual(splitMountOptions(words.join(',')), words)))
})

test('every word that is known is known, and none is given to the file system', () => {
  const words = mountOptionWords()
  assert.deepEqual([...new Set(words)], words)
  for (const word of words) assert.deepEqual(parseMountOptions([word]).data, [], word)
})
