// What src/inspect/capability-risk.ts and the table of capabilities claim, tried on this kernel.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import type { Outcomes, Scene } from './capability-probes.ts'
import { PROBES } from './capability-probes.ts'
import { fileHandle } from './capability-scene.ts'
import { inChild, lacksProgram, lacksRoot } from './child.ts'

const lack = lacksRoot() ?? lacksProgram('unshare')
const options = lack === undefined ? {} : { skip: lack }

const scene = async (t: TestContext): Promise<Scene> => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-capability-risk-'))
  t.after(() => rmSync(directory, { recursive: true }))
  chmodSync(directory, 0o777)
  const file = join(directory, 'file')
  writeFileSync(file, '')
  chownSync(file, 65534, 65534)
  chmodSync(file, 0)
  const readable = join(directory, 'readable')
  writeFileSync(readable, '', { mode: 0o644 })
  chownSync(readable, 65534, 65534)
  const child = spawn('sleep', ['60'], { uid: 65534, gid: 65534, stdio: 'ignore' })
  t.after(async () => {
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
  })
  await once(child, 'spawn')
  return { directory, file, readable, handle: fileHandle(file), pid: child.pid ?? 0 }
}

const outcomes = (where: Scene, through: readonly string[]): Outcomes =>
  inChild(
    `import { tryProbes } from ${JSON.stringify(new URL('capability-probes.js', import.meta.url).href)}
    done(tryProbes(${JSON.stringify(where)}))`,
    { through },
  ) as Outcomes

const REFUSED = ['-1', '-13', '-111', '-22']

test('each does with its capability what the table says, and nothing without it', options, async (t) => {
  const found = outcomes(await scene(t), [])
  const wrong: string[] = []
  for (const [name, [alone, without]] of Object.entries(found)) {
    const because = `${name}: ${PROBES[name]?.capabilities.join()}: ${alone}, without ${without}`
    if (alone < 0 || ![-1, -13].includes(without)) wrong.push(because)
  }
  assert.deepEqual(wrong, [])
  const missing = Object.keys(PROBES).filter((name) => !Object.hasOwn(found, name))
  if (missing.length > 0) t.diagnostic(`not tried here: ${missing.join(', ')}`)
  t.diagnostic(`${Object.keys(found).length} tried`)
})

test('in a user namespace of its own none of them reaches the host', options, async (t) => {
  const found = outcomes(await scene(t), ['unshare', '--user', '--map-root-user'])
  for (const [name, [alone]] of Object.entries(found)) {
    if (PROBES[name]?.initialOnly === true) assert.ok(REFUSED.includes(`${alone}`), `${name}: ${alone}`)
    else assert.ok(alone >= 0, `${name}: ${alone}`)
  }
})
