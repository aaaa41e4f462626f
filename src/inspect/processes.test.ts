import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

import { COMMAND_LINE_LIMIT, readProcesses } from './processes.ts'

test('reads the parts that are asked for, of every process', () => {
  const seen = [...readProcesses(['stat', 'status', 'commandLine', 'cgroups', 'namespaces'])]
  const self = seen.find(({ pid }) => pid === process.pid)
  assert.ok(self !== undefined)
  assert.equal(self.stat?.ppid, process.ppid)
  assert.equal(self.status?.uid.real, process.getuid?.())
  assert.equal(self.commandLine?.at(-1), process.argv.at(-1))
  assert.ok((self.cgroups?.size ?? 0) > 0)
  assert.ok(Number.isSafeInteger(self.namespaces?.pid))
  assert.ok(seen.every((each, index) => index === 0 || each.pid > (seen[index - 1]?.pid ?? 0)))
  assert.deepEqual(Object.keys([...readProcesses(['stat'])][0] ?? {}), ['pid', 'stat'])
})

test('leaves out processes that end meanwhile', async () => {
  const child = spawn('/bin/sleep', ['60'])
  const seen: number[] = []
  // The list is made first, and PID 1 comes first of it.
  for (const { pid } of readProcesses(['status'])) {
    seen.push(pid)
    if (seen.length > 1) continue
    const end = once(child, 'exit')
    child.kill('SIGKILL')
    await end
  }
  assert.ok(seen.includes(process.pid))
  assert.ok(!seen.includes(child.pid ?? 0))
})

test('takes no more than the beginning of a long command line', async () => {
  const child = spawn('/bin/sh', ['-c', 'read line', 'sh', 'x'.repeat(100_000)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  await once(child, 'spawn')
  const found = [...readProcesses(['commandLine'])].find(({ pid }) => pid === child.pid)
  child.stdin.end()
  await once(child, 'exit')
  assert.equal(found?.commandLine?.join('\0').length, COMMAND_LINE_LIMIT)
})
