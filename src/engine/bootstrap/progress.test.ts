import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProgressReader } from './progress.ts'

test('what apt and dpkg print, as progress', () => {
  let now = 0
  const reader = new ProgressReader(() => now)
  const take = (text: string): void => text.split('\n').forEach((line) => reader.take(line))
  take('I: running apt-get update...\nGet:1 http://deb.debian.org/debian bookworm InRelease [151 kB]')
  assert.deepEqual(reader.progress, { phase: 'indexes' })
  take('0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.\nNeed to get 3,000 kB of archives.')
  assert.deepEqual(reader.progress, { phase: 'downloading', done: 0, total: 3e6 })
  now = 500
  take('Get:1 http://deb.debian.org/debian bookworm/main amd64 libc6 amd64 2.36 [1000 kB]')
  assert.deepEqual(reader.progress, { phase: 'downloading', done: 1e6, total: 3e6, rate: 2e6, left: 1000 })
  take(
    'Get:2 http://deb.debian.org/debian bookworm/main amd64 bash amd64 5.2 [2 MB]\nFetched 3000 kB in 1s (3000 kB/s)',
  )
  assert.deepEqual(reader.progress, { phase: 'installing', done: 0, total: 2 })
  now = 1500
  take('Unpacking libc6:amd64 (2.36) ...\nSetting up libc6:amd64 (2.36) ...')
  assert.deepEqual(reader.progress, { phase: 'installing', done: 1, total: 2, rate: 1, left: 1000 })
  take('Setting up bash (5.2) ...\n0 upgraded, 3 newly installed, 0 to remove\nSetting up perl (5) ...')
  assert.deepEqual([reader.progress.done, reader.progress.total], [3, 5])
})

test('nothing that an engine may print breaks it, and no more is done than there is', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      'Need to get 10 kB of archives.',
      'Need to get 5 kB/10 kB of archives.',
      'Get:1 x [7 kB]',
      'Fetched 1 kB in 1s',
      'Setting up x (1) ...',
      '0 upgraded, 2 newly installed, 0 to remove',
    ),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const reader = new ProgressReader(() => 0)
      for (const each of lines) reader.take(each)
      const { done, total } = reader.progress
      assert.ok(done === undefined ? total === undefined : total !== undefined && done >= 0 && done <= total)
    }),
  )
})
