import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linkName, slotOf, translationTable } from './link-name.ts'

test('a link is called by its number and by whose it is, in 15 characters', () => {
  assert.equal(linkName(1, 'box'), 'tare1-box')
  assert.equal(linkName(12, 'web.example.org'), 'tare12-web-exam')
  assert.equal(linkName(1234567, 'abc.de'), 'tare1234567-abc')
  assert.equal(linkName(12345678, 'a.b'), 'tare12345678-a')
})

test('the number is found again, of what is certainly a link of ours', () => {
  for (const slot of [1, 9, 10, 4711]) assert.equal(slotOf(linkName(slot, 'some-host')), slot)
  for (const name of ['tare', 'tare-br', 'tare0-x', 'tarex1-a', 'eth0', 'tare1x', translationTable('tare1-box')])
    assert.equal(slotOf(name), undefined, name)
})
