// Needs a C compiler, as building the project does.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SOURCES = fileURLToPath(new URL('../../../native/test/', import.meta.url))
const CORPUS = join(SOURCES, 'corpus')
const WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wvla', '-Wstrict-prototypes']

const out = mkdtempSync(join(tmpdir(), 'tare-replay-'))
after(() => rmSync(out, { recursive: true }))

const build = (name: string, ...flags: readonly string[]): string => {
  const program = join(out, name)
  const sources = ['replay.c', 'fuzz.c'].map((file) => join(SOURCES, file))
  const { status, stderr } = spawnSync(
    process.env['CC'] ?? 'cc',
    ['-std=gnu11', '-O1', ...WARNINGS, ...flags, '-o', program, ...sources],
    { encoding: 'utf8' },
  )
  assert.equal(status, 0, stderr)
  return program
}

test('what the fuzzer found interesting, and what once broke the walk, still passes', () => {
  const files = readdirSync(CORPUS)
    .toSorted()
    .map((name) => join(CORPUS, name))
  assert.ok(files.length > 20, `only ${files.length} files`)
  const { status, signal, stdout, stderr } = spawnSync(build('replay'), files, { encoding: 'utf8' })
  const names = stdout.trim().split('\n')
  assert.deepEqual(
    { status, signal, stderr, last: names.at(-1) },
    { status: 0, signal: null, stderr: '', last: files.at(-1) },
  )
  assert.equal(names.length, files.length)
})
