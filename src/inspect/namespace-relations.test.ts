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
  relations.add('mnt', own)
  assert.deepEqual([seen.kind, seen.owner, seen.parent, survey.sightings.size], ['user', undefined, undefined, 1])
  for (const fd of [proc, own]) closeSync(fd)
})
