// An ordinary user to whom a group of version 2 was delegated. Needs root, to delegate it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { accessSync, chownSync, constants, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { makeCgroup, removeCgroup } from '../../src/index.ts'
import { hierarchyOf, readCgroupLayout } from '../../src/linux/index.ts'

const USER = { uid: 65534, gid: 65534 } as const
const TARE = join(import.meta.dirname, '../../../bin/tare')
const layout = readCgroupLayout()
const unified = layout.hierarchies.find(({ version }) => version === 2)
const name = `/tare-delegated-${process.pid}`
const hasMemory = hierarchyOf(layout, 'memory')?.version === 2

const skip = process.getuid?.() !== 0 ? 'needs root' : unified === undefined ? 'needs cgroup v2' : false

/** As systemd does with Delegate=yes: the group and what manages it are the user's, its limits are not. */
const delegate = (directory: string): void => {
  for (const file of ['', '/cgroup.procs', '/cgroup.threads', '/cgroup.subtree_control'])
    chownSync(`${directory}${file}`, USER.uid, USER.gid)
}

interface Called {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Calls a script of `tare` commands as the user, from within a group. */
const asUser = (group: string, script: string): Called => {
  const words = [
    `echo 0 >${unified?.mountPoint}${group}/cgroup.procs`,
    `exec setpriv --reuid=${USER.uid} --regid=${USER.gid} --clear-groups bash -c 'tare() { "${process.execPath}" -- "${TARE}" "$@"; }; ${script}'`,
  ]
  const { status, stdout, stderr } = spawnSync('bash', ['-c', words.join('\n')], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('in a group that is delegated to an ordinary user', { skip }, () => {
  after(async () => {
    if (existsSync(`${unified?.mountPoint}${name}`)) await removeCgroup(name, { recursive: true, kill: true })
  })

  it('all commands work without a slash, where the user may', () => {
    const controllers = ['unified', ...(hasMemory ? ['memory', 'pids', 'cpu'] : [])]
    makeCgroup(name, { controllers })
    makeCgroup(`${name}/own`, { controllers: ['unified'] })
    delegate(`${unified?.mountPoint}${name}`)
    delegate(`${unified?.mountPoint}${name}/own`)
    accessSync(TARE, constants.X_OK)
    const limits = hasMemory ? 'memory=32MiB pids=40' : 'cgroup.max.depth=3'
    const { status, stdout, stderr } = asUser(
      `${name}/own`,
      `set -e
      tare cgroup create -q web ${limits}
      tare cgroup set web ${hasMemory ? 'cpus=0.5' : 'cgroup.max.depth=4'}
      tare cgroup ls web
      sleep 100 & tare cgroup move web $!
      tare cgroup freeze web; tare cgroup thaw web; tare cgroup kill web
      tare cgroup rm web
      tare cgroup run --new ${hasMemory ? 'pids=30' : 'cgroup.max.depth=2'} -- cat /proc/self/cgroup`,
    )
    assert.equal(status, 0, stderr)
    assert.match(stdout, new RegExp(`^${name}/web +.* ${hasMemory ? 'cpus=0\\.5' : 'cgroup\\.max\\.depth=4'}`, 'm'))
    assert.match(stdout, new RegExp(`^0::${name}/[0-9a-f]{12}\\.\\d+$`, 'm'))
    assert.ok(!existsSync(`${unified?.mountPoint}${name}/web`))
  })

  it("the group's own limits stay whoever has delegated it", () => {
    const { status, stderr } = asUser(`${name}/own`, `tare cgroup set ${name} cgroup.max.depth=9`)
    assert.equal(status, 125)
    assert.match(stderr, /^tare: cannot write 9 to cgroup\.max\.depth of .*: EACCES \(permission denied\)\n/)
    assert.match(
      stderr,
      /\nThat was to set cgroup\.max\.depth to 9\. Run as root, or in a subtree that is delegated to you/,
    )
  })

  it('a process from elsewhere is not moved, and the file that refuses it is named', () => {
    const elsewhere = `${name}-elsewhere`
    makeCgroup(elsewhere, { controllers: ['unified'] })
    writeFileSync(`${unified?.mountPoint}${elsewhere}/cgroup.procs`, '0')
    const { status, stderr } = asUser(`${name}/own`, `tare cgroup move own ${process.pid}`)
    writeFileSync(`${unified?.mountPoint}/cgroup.procs`, '0')
    spawnSync('rmdir', [`${unified?.mountPoint}${elsewhere}`])
    assert.equal(status, 125)
    assert.match(stderr, /^tare: cannot move process \d+ \(\S+\) into cgroup .*: EACCES \(permission denied\)\n/)
    assert.ok(stderr.includes(`this user may not write ${unified?.mountPoint}/cgroup.procs`), stderr)
  })

  it('without one, it is said how to have one', () => {
    const { status, stderr } = asUser('', 'tare cgroup create -q web')
    assert.equal(status, 125)
    assert.match(stderr, /^tare: cannot find a place for cgroups: no group of this process is delegated to this user\n/)
    assert.match(stderr, /systemd-run --user --scope -p Delegate=yes/)
  })
})
