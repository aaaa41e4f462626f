// A program of its own, for test/native/addon.test.ts: only its workers load the addon, which so goes with each of them.
// They are ended while two threads make calls by a table: the second one may come to its turn only after that.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'

const TIMES = 60

if (isMainThread) {
  for (let i = 0; i < TIMES; i++) {
    const worker = new Worker(fileURLToPath(import.meta.url))
    assert.deepEqual(await once(worker, 'message'), ['calling'])
    await worker.terminate()
  }
  process.stdout.write('terminated\n')
} else {
  const { CallTable } = await import('../../src/linux/call-table.ts')
  const table = new CallTable(
    [
      ['dup', 0],
      ['close', { resultOf: 0 }],
    ],
    { parts: 200, room: 0 },
  )
  parentPort?.postMessage('calling', [])
  for (;;) table.run()
}
