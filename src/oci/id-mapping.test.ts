import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIdMap } from '../linux/idmap.ts'
import { idMapOf, readIdMappings } from './id-mapping.ts'

test('mappings become the lines of uid_map', () => {
  const mappings = readIdMappings([{ containerID: 0, hostID: 1000, size: 32000 }], 'here')
  assert.equal(formatIdMap(idMapOf(mappings)), '0 1000 32000\n')
})
