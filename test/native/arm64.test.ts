// Needs a cross compiler for arm64, and qemu's emulation of its processes.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { testRefusals } from './refusal-suite.ts'
import { emulatedMachine } from './stage.ts'
import { testWalk } from './walk-suite.ts'

const CC = 'aarch64-linux-gnu-gcc'
const QEMU = ['qemu-aarch64-static', 'qemu-aarch64'].find((name) => spawnSync(name, ['--version']).status === 0)
const EM_AARCH64 = 183

const hasCompiler = spawnSync(CC, ['--version']).status === 0
const missing = hasCompiler ? undefined : `needs ${CC}`

/** The stage and the addon, built by the project's own script, whose warnings are errors. */
const crossBuild = (out: string): { readonly status: number | null; readonly output: string } => {
  const script = `import { native } from ${JSON.stringify(new URL('../../../scripts/build.mjs', import.meta.url).href)}
    native({ cc: ${JSON.stringify(CC)}, out: ${JSON.stringify(out)} })`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  return { status, output: stdout + stderr }
}

if (missing === undefined) {
  const out = mkdtempSync(join(tmpdir(), 'tare-arm64-'))
  after(() => rmSync(out, { recursive: true }))
  const { status, output } = crossBuild(out)

  test('the stage and the addon build for arm64 without a warning', () => {
    assert.equal(status, 0, output)
    assert.equal(output, '')
    for (const file of ['stage', 'tare.node']) {
      assert.equal(readFileSync(join(out, file)).readUInt16LE(18), EM_AARCH64, file)
    }
  })

  if (QEMU === undefined) test('the stage walks on arm64', (t) => t.skip('needs qemu-aarch64-static or qemu-aarch64'))
  else if (status === 0) {
    const machine = emulatedMachine(QEMU, join(out, 'stage'))
    testWalk(machine)
    testRefusals(machine)
  }
} else {
  test('the stage and the addon build for arm64 and walk there', (t) => t.skip(missing))
}
