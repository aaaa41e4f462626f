import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileType } from './file-type.ts'

test('what is at a path is told, and nothing for nothing', () => {
  assert.equal(fileType('/proc', { follow: false }), 'directory')
  assert.equal(fileType('/proc/self', { follow: false }), 'link')
  assert.equal(fileType('/proc/self', { follow: true }), 'directory')
  assert.equal(fileType('/proc/self/status', { follow: false }), 'file')
  assert.equal(fileType('/dev/null', { follow: true }), 'other')
  assert.equal(fileType('/nowhere', { follow: true }), undefined)
  assert.equal(fileType('/proc/version/below', { follow: true }), undefined)
})

test('a path that is too long is an error', () => {
  assert.throws(() => fileType(`/${'x'.repeat(5000)}`, { follow: true }), { code: 'ENAMETOOLONG' })
})
