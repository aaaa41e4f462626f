import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import test, { after } from 'node:test'
import { Worker } from 'node:worker_threads'
import { O_PATH } from './fcntl.ts'
import { RESOLVE_IN_ROOT } from './open-how.ts'
import { openat2 } from './openat2.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-openat2-'))
after(() => rmSync(base, { recursive: true }))

test('a path that leads upwards is found, whatever is renamed on the host meanwhile', async () => {
  for (const path of ['root/a', 'root/b', 'x']) mkdirSync(join(base, path), { recursive: true })
  writeFileSync(join(base, 'root/b/file'), '')
  symlinkSync('../b/../b/../b/file', join(base, 'root/a/link'))
  const source = `
    const { renameSync } = require('node:fs')
    const { workerData } = require('node:worker_threads')
    for (;;) { renameSync(workerData + '/x', workerData + '/y'); renameSync(workerData + '/y', workerData + '/x') }`
  const worker = new Worker(source, { eval: true, workerData: base })
  await once(worker, 'online')
  const root = openSync(join(base, 'root'), 'r')
  try {
    for (let tries = 0; tries < 100_000; tries++)
      closeSync(openat2('a/link', { flags: O_PATH, resolve: RESOLVE_IN_ROOT }, root))
  } finally {
    closeSync(root)
    await worker.terminate()
  }
})
