import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { parseAccounts, resolveUser } from './resolve-user.ts'

const root = mkdtempSync(join(tmpdir(), 'tare-users-'))
after(() => rmSync(root, { recursive: true }))
mkdirSync(join(root, 'etc'))
writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nann:x:1000:100::/home/ann:/bin/sh\nbroken line\n')
writeFileSync(join(root, 'etc/group'), 'users:x:100:\nwheel:x:10:ann,bob\ndisk:x:6:bob\n')

test('a name is looked up in the root, with its groups', () => {
  assert.deepEqual(resolveUser('ann', [], root), { name: 'ann', uid: 1000, gid: 100, groups: [10], home: '/home/ann' })
  assert.deepEqual(resolveUser('ann:disk', ['wheel', 7], root), {
    name: 'ann',
    uid: 1000,
    gid: 6,
    groups: [10, 7],
    home: '/home/ann',
  })
})

test('a number needs no entry', () => {
  assert.deepEqual(resolveUser(4000, [], root), { name: 'user4000', uid: 4000, gid: 0, groups: [], home: '/home' })
  assert.deepEqual(resolveUser('1000:5', [], root).gid, 5)
  assert.deepEqual(resolveUser('0', [], '/nowhere'), { name: 'root', uid: 0, gid: 0, groups: [], home: '/root' })
})

test('what names nobody is refused', () => {
  for (const user of ['bob', 'ann:nobody', '', ':1', '1:2:3', '4294967295', '-1', '1.5'])
    assert.throws(() => resolveUser(user, [], root), { code: 'ERR_TARE_INPUT' }, user)
})

test('a link in the root leads nowhere else', () => {
  const other = mkdtempSync(join(tmpdir(), 'tare-users-'))
  try {
    symlinkSync(join(root, 'etc'), join(other, 'etc'))
    assert.throws(() => resolveUser('ann', [], other), /no user of that name/)
  } finally {
    rmSync(other, { recursive: true })
  }
})

test('any text is read without failing', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const { name, id } of parseAccounts(text)) assert.ok(name !== '' && Number.isInteger(id))
    }),
  )
})
