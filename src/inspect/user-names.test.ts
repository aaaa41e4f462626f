import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parseUserNames, userNames } from './user-names.ts'

test('names by user id, the first of several', () => {
  const text =
    'root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/:\n\n# no line\nweb:x:33:33::/:\n:x:5:5::/:\nbad:x:-1:0::/:\n'
  assert.deepEqual(
    [...parseUserNames(text)],
    [
      [0, 'root'],
      [33, 'web'],
    ],
  )
  assert.equal(userNames().get(0), 'root')
})
