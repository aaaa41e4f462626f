import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { InputError } from '../linux/error.ts'
import { SystemTree, withTree } from './system-tree.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-system-tree-'))
after(() => rmSync(base, { recursive: true, force: true }))

const path = join(base, 'tree')
mkdirSync(join(path, 'etc'), { recursive: true })
mkdirSync(join(path, 'usr/bin'), { recursive: true })
writeFileSync(join(base, 'outside'), 'outside\n')
writeFileSync(join(path, 'outside'), 'inside\n')
writeFileSync(join(path, 'usr/bin/tool'), '', { mode: 0o755 })
symlinkSync('/usr/bin', join(path, 'bin'))
symlinkSync('tool', join(path, 'usr/bin/alias'))
symlinkSync('../../../../outside', join(path, 'etc/up'))
symlinkSync(join(base, 'outside'), join(path, 'etc/away'))
symlinkSync('loop', join(path, 'etc/loop'))
symlinkSync('/outside/below', join(path, 'etc/through'))

test('links lead nowhere but into the tree', () => {
  withTree(path, (tree) => {
    assert.equal(tree.read('/etc/up'), 'inside\n')
    assert.equal(tree.read('/../../outside'), 'inside\n')
    assert.equal(tree.read('/etc/away'), undefined)
    assert.equal(tree.find('/etc/loop'), undefined)
    assert.equal(tree.find('/etc/through'), undefined)
    assert.equal(tree.find('/nothing'), undefined)
    assert.equal(tree.find('/bin')?.type, 'directory')
  })
})

test('what a link says is told, wherever it leads', () => {
  withTree(path, (tree) => {
    assert.equal(tree.link('/etc/up'), '../../../../outside')
    assert.equal(tree.link('/bin/alias'), 'tool')
    assert.equal(tree.link('/bin/tool'), undefined)
    assert.equal(tree.link('/nothing'), undefined)
  })
})

test('a program is found under the name that it has itself', () => {
  withTree(path, (tree) => {
    const [tool, alias] = [tree.find('/bin/tool'), tree.find('/bin/alias')]
    assert.equal(alias?.name, 'tool')
    assert.equal(alias.executable, true)
    assert.equal(alias.inode, tool?.inode)
    assert.equal(tree.find('/outside')?.executable, false)
  })
})

test('only regular files are opened, and none that is huge', { timeout: 10_000 }, () => {
  assert.equal(spawnSync('mkfifo', [join(path, 'etc/fifo')]).status, 0)
  writeFileSync(join(path, 'etc/huge'), '')
  truncateSync(join(path, 'etc/huge'), 1 << 30)
  withTree(path, (tree) => {
    assert.equal(tree.read('/etc/fifo'), undefined, 'nor is there somebody to write to it')
    assert.equal(tree.find('/etc/fifo')?.type, 'other')
    assert.equal(tree.read('/etc'), undefined)
    assert.throws(() => tree.read('/etc/huge'), /cannot read \/etc\/huge of .*: it is larger than 16 MiB/)
  })
})

test('what is no directory is refused', () => {
  const refusal = (directory: string, reason: RegExp): void =>
    assert.throws(
      () => new SystemTree(directory),
      (error) => error instanceof InputError && reason.test(error.message),
    )
  refusal(join(base, 'nothing'), /^cannot use .*\/nothing as a system: it does not exist\n/)
  refusal(join(base, 'outside'), /^cannot use .*\/outside as a system: it is not a directory\n/)
})
