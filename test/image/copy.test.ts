// Copies of trees by whoever may not make all that is in them. Needs root, to make it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { call, lacks, makeDirectory } from './tree.ts'

/** Copies one tree into another, and prints what was left out. */
const PROGRAM = `
import { openSync } from 'node:fs'
import { copyTree } from '${new URL('../../src/image/tree/copy.js', import.meta.url).href}'
const [from, to] = process.argv.slice(1).map((path) => openSync(path, 'r'))
const left = []
await copyTree(from, to, { onLeftOut: (what, path) => left.push(what + ': ' + path) })
console.log(JSON.stringify(left))
`

test('a device that has two names and may not be made is left out twice', { skip: lacks('setpriv', 'mknod') }, () => {
  const base = makeDirectory()
  const [from, to] = [join(base, 'from'), join(base, 'to')]
  mkdirSync(from)
  mkdirSync(to)
  writeFileSync(join(from, 'file'), '')
  call('mknod', join(from, 'one'), 'c', '1', '3')
  linkSync(join(from, 'one'), join(from, 'two'))
  linkSync(join(from, 'file'), join(from, 'same'))
  const node = [process.execPath, '--input-type=module', '-e', PROGRAM, from, to]
  const said = execFileSync('setpriv', ['--bounding-set=-mknod', '--inh-caps=-mknod', ...node], { encoding: 'utf8' })
  const left = 'device nodes left out, which root alone may make'
  assert.deepEqual(JSON.parse(said), [`${left}: one`, `${left}: two`])
  assert.deepEqual(readdirSync(to).toSorted(), ['file', 'same'])
})
