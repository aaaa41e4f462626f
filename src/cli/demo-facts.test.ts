import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownSections, parseFacts, parseSections } from './demo-facts.ts'

const STATUS = `Name:	cat
Uid:	0	5	0	0
Gid:	1	6	1	1
CapInh:	0000000000000000
CapPrm:	0000000000000021
CapEff:	0000000000000021
CapBnd:	00000000800405fb
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
`
const MOUNTS = `30 29 0:25 / / rw,nosuid - tmpfs none rw
31 30 0:26 / /proc rw - proc none rw
`
const DEVICES = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets
    lo:       0       0
  eth0:     100       1
`
const GROUPS = '4:memory:/box\n1:cpu:/other\n0::/\n'

const TEXT = [
  '== status',
  STATUS.trimEnd(),
  '== uid_map',
  '         0       1000          1',
  '         1     100000      65536',
  '== gid_map',
  '         0       1000          1',
  '== mountinfo',
  MOUNTS.trimEnd(),
  '== net/dev',
  DEVICES.trimEnd(),
  '== cgroup',
  GROUPS.trimEnd(),
  '== hostname',
  'box',
  '== pid',
  '2',
  '== processes',
  '/proc/1 /proc/2 /proc/17',
  '== ns/net',
  'net:[4026532327]',
  '',
].join('\n')

test('the facts of a container are read from what the script prints', () => {
  const { namespaces, ...facts } = parseFacts(parseSections(TEXT))
  assert.deepEqual(facts, {
    uid: 5,
    uidOutside: 100004,
    gid: 6,
    gidOutside: undefined,
    pid: 2,
    processes: 3,
    hostname: 'box',
    mounts: ['/', '/proc'],
    interfaces: ['lo', 'eth0'],
    cgroup: '/box',
    capabilities: ['CAP_CHOWN', 'CAP_KILL'],
    noNewPrivileges: true,
    seccomp: true,
  })
  assert.equal(namespaces.get('net'), '4026532327')
  assert.equal(namespaces.get('mnt'), 'unknown')
})

test('on version 2 of control groups there is one path', () => {
  const text = TEXT.replace(GROUPS.trimEnd(), '0::/user.slice')
  assert.equal(parseFacts(parseSections(text)).cgroup, '/user.slice')
})

test('this process’s own facts are its own', () => {
  const facts = parseFacts(ownSections())
  assert.equal(facts.pid, process.pid)
  assert.equal(facts.uid, process.geteuid?.())
  assert.ok(facts.processes >= 1)
  assert.ok(facts.mounts.includes('/'))
  assert.ok([...facts.namespaces.values()].every((inode) => /^\d+$/.test(inode)))
})
