// A host on which mounts are shared, as systemd has them. Needs root and unshare(1), for a mount namespace to be such a host.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { NO_BUSYBOX, makeBusybox } from './machine.ts'
import { isRoot, NO_CONTAINERS, NODE_ARGS, PROGRAM } from './tare.ts'

const UNSHARE = '/usr/bin/unshare'
const skip =
  NO_CONTAINERS ||
  NO_BUSYBOX ||
  (isRoot ? false : 'needs root, to make mounts shared') ||
  (existsSync(UNSHARE) ? false : `needs ${UNSHARE}`)

/** Calls tare there, and prints what is mounted below a directory then. */
const SCRIPT = 'mount --make-rshared / && "$@"; status=$?; grep -F " $UNDER" /proc/self/mountinfo; exit $status'

test('what is mounted in a container does not appear on a host that shares its mounts', { skip }, () => {
  const tiny = makeBusybox()
  const under = dirname(tiny)
  const mount = ['--cap-add=sys_admin', 'busybox', 'mount', '-t', 'tmpfs', 'none']
  const cases: readonly (readonly string[])[] = [
    ['run', `--rootfs=${tiny}`, 'true'],
    ['run', `--rootfs=${tiny}`, ...mount, '/root'],
    ['run', `--volume=${tiny}:/mnt`, ...mount, '/mnt/root'],
    ['run', `--rootfs=${tiny}`, `--volume=${tiny}:/mnt`, 'true'],
  ]
  for (const args of cases) {
    const tare = [PROGRAM, ...NODE_ARGS, ...args]
    const { status, stdout, stderr } = spawnSync(UNSHARE, ['--mount', 'sh', '-c', SCRIPT, 'sh', ...tare], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', UNDER: under },
    })
    assert.deepEqual([status, stdout, stderr], [0, '', ''], args.join(' '))
  }
})
