import assert from 'node:assert/strict'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { test } from 'node:test'

import { Relations } from './namespace-relations.ts'
import { Survey } from './namespace-survey.ts'

test('a number that belongs to another namespace by now tells nothing', () => {
  const proc = openSync('/proc', 'r')
  const own = openSync('/proc/self/ns/mnt', 'r')
  const inode = fstatSync(own).ino
  const survey = new Survey()
  const seen = survey.see('user', inode, () => ({ at: 'link', path: 'self/ns/mnt' }))
  const relations = new Relations(survey, proc, fstatSync(own).dev)
  relations.complete()
  assert.deepEqual([seen.owner, seen.parent, survey.sightings.size], [undefined, undefined, 1])
  relations.add('mnt', own)
  assert.equal(survey.sightings.get(inode)?.kind, 'mnt')
  assert.deepEqual([seen.owner, seen.parent], [undefined, undefined])
  for (const fd of [proc, own]) closeSync(fd)
})
