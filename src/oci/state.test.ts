import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseState } from './state.ts'
import { OCI_VERSION, OCI_VERSION_MIN } from './version.ts'

const state = { ociVersion: OCI_VERSION, id: 'box', status: 'running', pid: 4422, bundle: '/bundle' }

test('a state is read as it was written', () => {
  assert.deepEqual(parseState(JSON.stringify(state)), { ...state, annotations: undefined })
})

test('a container that is stopped needs no process', () => {
  assert.equal(parseState(JSON.stringify({ ...state, pid: undefined, status: 'stopped' })).pid, undefined)
  assert.throws(() => parseState(JSON.stringify({ ...state, pid: undefined })), /there is no pid, and it is running/)
})

test('every version 1 is taken', () => {
  for (const ociVersion of [OCI_VERSION_MIN, '1.0.2-dev', '1.2.1+dev', '1.99.0']) {
    assert.equal(parseState(JSON.stringify({ ...state, ociVersion })).ociVersion, ociVersion)
  }
})
