import assert from 'node:assert/strict'
import { test } from 'node:test'
import { undoValue } from './undo.ts'

test('a file with one value gets that back', () => {
  assert.equal(undoValue('pids.max', '7', 'max\n'), 'max')
  assert.equal(undoValue('memory.limit_in_bytes', '4096', '9223372036854771712\n'), '9223372036854771712')
  assert.equal(undoValue('cpu.max', '1000', 'max 100000\n'), 'max 100000')
  assert.equal(undoValue('cpuset.cpus', '0', '\n'), '')
})

test('a limit on a device goes back to what that device had', () => {
  const before = '8:0 rbps=1 wbps=max riops=max wiops=max\n254:0 rbps=max wbps=5 riops=max wiops=max\n'
  assert.equal(undoValue('io.max', '254:0 rbps=9', before), '254:0 rbps=max wbps=5 riops=max wiops=max')
  assert.equal(undoValue('io.max', '7:1 rbps=9', before), '7:1 rbps=max wbps=max riops=max wiops=max')
  assert.equal(undoValue('blkio.throttle.read_bps_device', '8:0 4096', ''), '8:0 0')
  assert.equal(undoValue('blkio.throttle.read_bps_device', '8:0 4096', '8:0 512\n'), '8:0 512')
  assert.equal(undoValue('io.weight', '8:0 200', 'default 100\n'), '8:0 default')
})

test('a weight for all devices leaves those of single ones alone', () => {
  assert.equal(undoValue('io.weight', 'default 200', 'default 100\n8:0 50\n'), 'default 100')
  assert.equal(undoValue('blkio.bfq.weight', '200', '100\n'), '100')
})

test('of out of memory, the switch goes back, not the counts', () => {
  assert.equal(undoValue('memory.oom_control', '1', 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n'), '0')
})
