// Needs a C compiler, as building the project does.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SOURCES = fileURLToPath(new URL('../../../native/test/', import.meta.url))
const CORPUS = join(SOURCES, 'corpus')
const WARNINGS = ['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wvla', '-Wstrict-prototypes']

const out = mkdtempSync(join(tmpdir(), 'tare-replay-'))
after(() => rmSync(out, { recursive: true }))

const CC = process.env['CC'] ?? 'cc'
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']

const compile = (program: string, sources: readonly string[], flags: readonly string[]): string => {
  const { status, stderr } = spawnSync(CC, ['-std=gnu11', '-O1', '-g', ...flags, '-o', program, ...sources], {
    encoding: 'utf8',
  })
  return status === 0 ? '' : stderr
}

/** Runs the walk over the corpus, each file of which must pass. */
const replay = (name: string, flags: readonly string[]): void => {
  const program = join(out, name)
  const sources = ['replay.c', 'fuzz.c'].map((file) => join(SOURCES, file))
  assert.equal(compile(program, sources, [...WARNINGS, ...flags]), '')
  const files = readdirSync(CORPUS)
    .toSorted()
    .map((file) => join(CORPUS, file))
  assert.ok(files.length > 100, `only ${files.length} files`)
  const { status, signal, stdout, stderr } = spawnSync(program, files, { encoding: 'utf8' })
  assert.deepEqual(
    { status, signal, stderr },
    { status: 0, signal: null, stderr: '' },
    stdout.trim().split('\n').at(-1),
  )
  assert.equal(stdout, files.map((file) => `${file}\n`).join(''))
}

test('what the fuzzer found interesting, and what once broke the walk, passes', () => {
  replay('replay', [])
})

test('it passes under AddressSanitizer and UndefinedBehaviorSanitizer', (t) => {
  const empty = join(out, 'empty.c')
  writeFileSync(empty, 'int main(void) { return 0; }\n')
  if (compile(join(out, 'empty'), [empty], SANITIZERS) !== '')
    return t.skip(`needs the sanitizers' libraries for ${CC}`)
  replay('replay-sanitized', SANITIZERS)
})
