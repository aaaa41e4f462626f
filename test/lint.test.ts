// That the linter catches what the rules of the house forbid: each in a small tree of its own, under the same rules.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = join(fileURLToPath(import.meta.url), '../../..')
const scratch = mkdtempSync(join(tmpdir(), 'tare-lint-'))
after(() => rmSync(scratch, { recursive: true }))

/** The rules that complain about some files, each as `file: rule`. */
const lint = (files: Readonly<Record<string, string>>): readonly string[] => {
  const tree = mkdtempSync(join(scratch, 'tree-'))
  for (const path of ['.oxlintrc.json', 'scripts/lint-layers.mjs']) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    copyFileSync(join(root, path), join(tree, path))
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), text)
  }
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--format=unix', 'src'], {
    cwd: tree,
    encoding: 'utf8',
  })
  return stdout
    .split('\n')
    .flatMap((line) => {
      const match = /^(src\/[^:]+):\d+:\d+: .*\[Error\/(.+)\]$/.exec(line.trim())
      return match === null ? [] : [`${match[1]}: ${match[2]}`]
    })
    .toSorted()
}

const VALUE = 'export const value = 1\n'

/** One file that imports one value from another. */
const imports = (from: string, to: string, specifier: string): readonly string[] =>
  lint({ [from]: `import { value } from '${specifier}'\nexport const doubled: number = value * 2\n`, [to]: VALUE })

test('good code passes', () => {
  assert.deepEqual(imports('src/runtime/start.ts', 'src/linux/mount.ts', '../linux/mount.ts'), [])
  assert.deepEqual(imports('src/image/build.ts', 'src/rootfs/closure.ts', '../rootfs/closure.ts'), [])
  assert.deepEqual(imports('src/cli/run.ts', 'src/index.ts', '../index.ts'), [])
  assert.deepEqual(imports('src/cli/ns.ts', 'src/linux/index.ts', '../linux/index.ts'), [])
})

test('imports only go down', () => {
  const upwards = (from: string, to: string, specifier: string): void =>
    assert.deepEqual(imports(`src/${from}`, `src/${to}`, specifier), [`src/${from}: tare(layers)`], `${from} -> ${to}`)
  upwards('linux/a.ts', 'plan/b.ts', '../plan/b.ts')
  upwards('linux/deep/a.ts', 'cli/b.ts', '../../cli/b.ts')
  upwards('plan/a.ts', 'oci/b.ts', '../oci/b.ts')
  upwards('oci/a.ts', 'runtime/b.ts', '../runtime/b.ts')
  upwards('runtime/a.ts', 'rootfs/b.ts', '../rootfs/b.ts')
  upwards('network/a.ts', 'inspect/b.ts', '../inspect/b.ts')
  upwards('engine/a.ts', 'index.ts', '../index.ts')
  upwards('runtime/a.ts', 'unheard-of/b.ts', '../unheard-of/b.ts')
  upwards('cli/a.ts', 'runtime/b.ts', '../runtime/b.ts')
  upwards('cli/a.ts', 'linux/mount.ts', '../linux/mount.ts')
})

test('an import at run time, a re-export and a type go down too', () => {
  const files = { 'src/engine/b.ts': `export interface Type {}\n${VALUE}` }
  const rule = ['src/linux/a.ts: tare(layers)']
  const source = (text: string): readonly string[] => lint({ ...files, 'src/linux/a.ts': text })
  assert.deepEqual(source(`export const load = async (): Promise<unknown> => import('../engine/b.ts')\n`), rule)
  assert.deepEqual(source(`export { value } from '../engine/b.ts'\n`), rule)
  assert.deepEqual(source(`export * from '../engine/b.ts'\n`), rule)
  assert.deepEqual(source(`export type { Type } from '../engine/b.ts'\n`), rule)
})

test('no cycles, of types neither', () => {
  const cycle = (word: string): readonly string[] =>
    lint({
      'src/plan/a.ts': `import { b } from './b.ts'\nexport const a: number = b\nexport type A = number\n`,
      'src/plan/b.ts': `import ${word} } from './a.ts'\nexport const b = 1\nexport type B = A | typeof a\n`,
    }).filter((line) => line.endsWith('import(no-cycle)'))
  const both = ['src/plan/a.ts: import(no-cycle)', 'src/plan/b.ts: import(no-cycle)']
  assert.deepEqual(cycle('type { a, A'), both)
  assert.deepEqual(cycle('{ a, type A'), both)
})

test('no helper programs, but in tests', () => {
  const text = (specifier: string): string =>
    `import { spawn } from '${specifier}'\nexport const start: typeof spawn = spawn\n`
  assert.deepEqual(lint({ 'src/linux/a.ts': text('node:child_process') }), ['src/linux/a.ts: tare(no-helper-programs)'])
  assert.ok(lint({ 'src/linux/a.ts': text('child_process') }).includes('src/linux/a.ts: tare(no-helper-programs)'))
  assert.deepEqual(lint({ 'src/linux/a.test.ts': text('node:child_process') }), [])
})

test('no any, no assertion of types but at the native border, no default export, no console', () => {
  const one = (text: string, path = 'src/linux/a.ts'): readonly string[] => lint({ [path]: text })
  assert.deepEqual(one('export const a = (b: any): string => String(b)\n'), [
    'src/linux/a.ts: typescript(no-explicit-any)',
  ])
  const assertion = 'export const a = (b: unknown): string => b as string\n'
  assert.deepEqual(one(assertion), ['src/linux/a.ts: typescript(consistent-type-assertions)'])
  assert.deepEqual(one(assertion, 'src/linux/binding.ts'), [])
  assert.deepEqual(one('export const a = [1, 2] as const\n'), [])
  assert.deepEqual(one('const a = 1\nexport default a\n'), ['src/linux/a.ts: import(no-default-export)'])
  assert.deepEqual(one('export let a = 1\na += 1\n'), ['src/linux/a.ts: import(no-mutable-exports)'])
  assert.deepEqual(one(`export const a = (): void => console.log('a')\n`), ['src/linux/a.ts: eslint(no-console)'])
})
