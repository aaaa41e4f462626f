import assert from 'node:assert/strict'
import { test } from 'node:test'
import { madeText, progressText } from './bootstrap-text.ts'

test('progress in words', () => {
  assert.equal(progressText({ phase: 'looking' }), 'looking at the mirror')
  assert.equal(
    progressText({ phase: 'downloading', done: 1 << 20, total: 3 << 20, rate: 2 << 20, left: 1000 }),
    'downloading 1MiB of 3MiB, 2MiB/s, 1s left',
  )
  assert.equal(
    progressText({ phase: 'installing', done: 1, total: 300, rate: 2.51, left: 119_000 }),
    'installing 1 of 300 packages, 2.5/s, 2min left',
  )
  assert.equal(progressText({ phase: 'installing', done: 0, total: 3 }), 'installing 0 of 3 packages')
})

test('what was made', () => {
  const made = {
    path: '/srv/box',
    system: 'debian:bookworm',
    architecture: 'amd64',
    variant: 'minbase',
    include: ['curl', 'nginx'],
    engine: 'mmdebstrap',
    cached: false,
    warnings: [],
  } as const
  assert.equal(
    madeText(made, 14_234),
    'made /srv/box: debian:bookworm (amd64, minbase, with curl, nginx) by mmdebstrap in 14.2s',
  )
  assert.match(
    madeText({ ...made, include: [], cached: true }, 512),
    /\(amd64, minbase\) as a copy of one that mmdebstrap made in 500ms$/,
  )
})
