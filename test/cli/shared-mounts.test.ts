// A host on which mounts are shared, as systemd has them. Needs root and unshare(1), for a mount namespace to be such a host.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeBundle } from '../host/oci-bundle.ts'
import { NO_BUSYBOX, makeBusybox } from './machine.ts'
import { isRoot, NO_CONTAINERS, NODE_ARGS, PROGRAM } from './tare.ts'

const UNSHARE = '/usr/bin/unshare'
const skip =
  NO_CONTAINERS ||
  NO_BUSYBOX ||
  (isRoot ? false : 'needs root, to make mounts shared') ||
  (existsSync(UNSHARE) ? false : `needs ${UNSHARE}`)

/** Calls tare there, and prints what is mounted then, if that is no longer what it was. */
const SCRIPT = `points() { cut -d' ' -f5 /proc/self/mountinfo; }
mount --make-rshared / || exit
before=$(points); "$@"; status=$?; after=$(points)
[ "$before" = "$after" ] || echo "$after"
exit $status`

const callThere = (args: readonly string[]): void => {
  const tare = [PROGRAM, ...NODE_ARGS, ...args]
  const { status, stdout, stderr } = spawnSync(UNSHARE, ['--mount', 'sh', '-c', SCRIPT, 'sh', ...tare], {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  assert.deepEqual([status, stdout, stderr], [0, '', ''], args.join(' '))
}

test('what is mounted in a container does not appear on a host that shares its mounts', { skip }, () => {
  const tiny = makeBusybox()
  const mount = ['--cap-add=sys_admin', 'busybox', 'mount', '-t', 'tmpfs', 'none']
  const cases: readonly (readonly string[])[] = [
    ['run', `--rootfs=${tiny}`, 'true'],
    ['run', `--rootfs=${tiny}`, ...mount, '/root'],
    ['run', `--volume=${tiny}:/mnt`, ...mount, '/mnt/root'],
    ['run', `--rootfs=${tiny}`, `--volume=${tiny}:/mnt`, 'true'],
  ]
  for (const args of cases) callThere(args)
})

test('nor does what a bundle’s container mounts', { skip }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-shared-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  // Root of the container, which is an ordinary user here, must get to its root file system.
  chmodSync(directory, 0o711)
  const source = makeBusybox()
  const sets = ['bounding', 'permitted', 'effective']
  const mounts = [
    ['mount', '-t', 'tmpfs', 'none', '/mnt/root'],
    ['mount', '-o', 'bind', '/bin/busybox', '/dev/null'],
  ]
  for (const own of [true, false])
    for (const words of mounts)
      for (const rootfsPropagation of [undefined, 'private', 'slave']) {
        makeBundle(directory, ['busybox', ...words], ({ process, mounts: list, linux }) => {
          process['capabilities'] = Object.fromEntries(sets.map((set) => [set, ['CAP_SYS_ADMIN']]))
          list.push({ destination: '/mnt', type: 'bind', source, options: ['rbind'] })
          linux['rootfsPropagation'] = rootfsPropagation
          if (!own) return
          linux.namespaces.push({ type: 'user' })
          for (const kind of ['uidMappings', 'gidMappings'])
            linux[kind] = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
        })
        chownSync(join(directory, 'rootfs'), own ? 100_000 : 0, own ? 100_000 : 0)
        callThere(['oci', '--root', join(directory, 'state'), 'run', '--bundle', directory, 'box'])
      }
})
