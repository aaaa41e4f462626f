import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import { TareError } from './error.ts'
import { getXattr, listXattrs, parseXattrNames, removeXattr, setXattr } from './xattr.ts'

const supported = (directory: string): boolean => {
  try {
    setXattr(directory, 'user.tare', new Uint8Array(1))
    return true
  } catch (error) {
    if (error instanceof TareError && error.code === 'EOPNOTSUPP') return false
    throw error
  }
}

test('attributes are set, read, listed and removed, by path and by descriptor', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-xattr-'))
  t.after(() => rmSync(directory, { recursive: true }))
  if (!supported(directory)) return t.skip('needs a temporary directory whose file system has user attributes')
  const file = join(directory, 'file')
  writeFileSync(file, '')
  const fd = openSync(file, 'r')
  t.after(() => closeSync(fd))
  const value = Buffer.from([0, 1, 2, 255])

  assert.equal(getXattr(file, 'user.a'), undefined)
  assert.deepEqual(listXattrs(file), [])
  setXattr(file, 'user.a', value)
  setXattr(fd, 'user.bé', new Uint8Array(0), { mode: 'create' })
  for (const target of [file, fd]) {
    assert.deepEqual(Buffer.from(getXattr(target, 'user.a') ?? []), value)
    assert.deepEqual(getXattr(target, 'user.bé'), new Uint8Array(0))
    assert.deepEqual(listXattrs(target).toSorted(), ['user.a', 'user.bé'])
  }
  assert.throws(() => setXattr(file, 'user.a', value, { mode: 'create' }), /EEXIST/)
  assert.throws(() => setXattr(file, 'user.none', value, { mode: 'replace' }), /ENODATA/)
  assert.equal(removeXattr(fd, 'user.a'), true)
  assert.equal(removeXattr(file, 'user.a'), false)

  const link = join(directory, 'link')
  symlinkSync(file, link)
  assert.deepEqual(listXattrs(link), ['user.bé'])
  assert.deepEqual(listXattrs(link, { follow: false }), [])
  assert.throws(() => setXattr(link, 'user.a', value, { follow: false }), /EPERM.*\nOnly ordinary files/)
  assert.equal(removeXattr(link, 'user.bé'), true)

  assert.throws(() => setXattr(file, 'nonsense.a', value), /EOPNOTSUPP.*\nA name starts with/)
  assert.throws(() => getXattr(join(directory, 'none'), 'user.a'), /cannot read the attribute user.a of .*none: ENOENT/)
  assert.throws(() => listXattrs(join(directory, 'none')), /cannot list the attributes of .*: ENOENT/)
  assert.throws(() => removeXattr(join(directory, 'none'), 'user.a'), /cannot remove the attribute/)
})

test('a list of names is split at its ends', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !text.includes('\0'))
  fc.assert(
    fc.property(fc.array(name), (names) => {
      const bytes = Buffer.from(names.map((each) => `${each}\0`).join(''))
      assert.deepEqual(parseXattrNames(bytes), names)
    }),
  )
  assert.throws(() => parseXattrNames(Buffer.from('user.a')), TareError)
})
