import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { HostNamespace, HostNamespaces, NamespaceComparison, NamespaceProcess } from '../index.ts'
import { comparisonText } from './ns-compare.ts'
import { namespaceDot } from './ns-dot.ts'
import { namespaceText } from './ns-one.ts'
import { namespaceTable } from './ns-table.ts'
import { heldBy, holderText } from './ns-text.ts'
import { namespaceTree } from './ns-tree.ts'
import type { Terminal } from './terminal.ts'

const same = (text: string): string => text
const terminal: Terminal = {
  interactive: false,
  columns: 80,
  lineWidth: undefined,
  style: { bold: same, dim: same, red: same, green: same, yellow: same },
  print: () => undefined,
  warn: () => undefined,
}

const init: NamespaceProcess = { pid: 1, pids: [1], uid: 0, user: 'root', uidInside: 0, command: '/sbin/init' }
const web: NamespaceProcess = {
  pid: 1234,
  pids: [1234, 1],
  uid: 100_000,
  user: undefined,
  uidInside: 0,
  command: 'web "quoted" \\ \x1b[31m',
}

const NONE = {
  children: [],
  owner: undefined,
  parent: undefined,
  creator: undefined,
  first: undefined,
  holders: [],
  processes: 0,
}

const hostUser: HostNamespace = { ...NONE, kind: 'user', inode: 10, creator: 0, processes: 5, first: init }
const ours: HostNamespace = {
  ...NONE,
  kind: 'user',
  inode: 20,
  owner: 10,
  parent: 10,
  children: [21],
  creator: 0,
  holders: [{ by: 'child', kind: 'user', inode: 21 }],
}
const inner: HostNamespace = {
  ...ours,
  children: [],
  inode: 21,
  owner: 20,
  parent: 20,
  processes: 2,
  first: web,
  holders: [],
}
const hostPid: HostNamespace = { ...NONE, kind: 'pid', inode: 11, owner: 10, processes: 5, first: init }
const webPid: HostNamespace = { ...NONE, kind: 'pid', inode: 22, owner: 21, parent: 11, processes: 2, first: web }
const net: HostNamespace = {
  ...NONE,
  kind: 'net',
  inode: 30,
  owner: 21,
  holders: [
    { by: 'mount', path: '/run/netns/a', mountNamespaces: [12, 13] },
    { by: 'descriptor', pid: 7, fds: [5, 6], command: 'holder' },
    { by: 'thread', pid: 7, tid: 8, command: 'holder' },
  ],
}

/** By kind and inode, as the library gives them. */
const HOST: HostNamespaces = {
  namespaces: [net, hostPid, webPid, hostUser, ours, inner],
  sets: [
    { namespaces: { pid: 11, user: 10 }, pids: [1, 2, 3, 4, 5], first: init },
    { namespaces: { pid: 22, user: 21 }, pids: [1234, 1240], first: web },
  ],
  unreadable: 0,
}

const lines = (...expected: readonly string[]): string => `${expected.join('\n')}\n`

test('what holds a namespace, in few words', () => {
  assert.equal(holderText({ by: 'mount', path: '/a', mountNamespaces: [1] }), 'mount /a')
  assert.equal(holderText({ by: 'descriptor', pid: 1, fds: [3], command: 'x' }), 'fd 3 of 1 (x)')
  assert.equal(holderText({ by: 'socket', pid: 1, fds: [3, 4], command: 'x' }), 'socket 3 and 1 more of 1 (x)')
  assert.equal(holderText({ by: 'children', pid: 1, command: 'x' }), 'children of 1 (x)')
  assert.equal(holderText({ by: 'thread', pid: 1, tid: 2, command: '' }), 'thread 2 of 1')
  assert.equal(holderText({ by: 'owned', kind: 'net', inode: 3 }), 'owning net 3')
  assert.equal(heldBy(net), 'mount /run/netns/a (and in 1 more mnt), fd 5 and 1 more of 7 (holder), 1 more')
  assert.equal(heldBy({ ...net, holders: [] }), '?')
  assert.equal(heldBy(hostUser), '')
})

test('the table: a line for each; control characters visible; no column that is empty', () => {
  assert.equal(
    namespaceTable({ namespaces: [webPid, ours], sets: [] }, terminal),
    lines(
      String.raw`NS   TYPE   NPROCS   PID        USER         OWNER   PARENT   HELD BY             COMMAND`,
      String.raw`22   pid         2   1234 → 1   100000 → 0   21      11                           web "quoted" \ \x1b[31m`,
      String.raw`20   user        0                           10      10       its child user 21`,
    ),
  )
  assert.equal(
    namespaceTable({ namespaces: [hostPid], sets: [] }, terminal),
    lines('NS   TYPE   NPROCS   PID   USER   OWNER   COMMAND', '11   pid         5   1     root   10      /sbin/init'),
  )
})

test('on a terminal the host’s own namespaces stand back', () => {
  const style = { ...terminal.style, dim: (text: string) => `<${text}>`, bold: (text: string) => `*${text}*` }
  const table = namespaceTable(HOST, { style, lineWidth: undefined }).split('\n')
  assert.match(table[0] ?? '', /^\*NS .* COMMAND\*$/)
  assert.deepEqual(
    table.slice(1, -1).map((line) => line.slice(0, 4).trim()),
    ['30', '<11>', '22', '<10>', '20', '21'],
  )
})

test('the trees: what each user namespace owns, and which pid namespace is in which', () => {
  const columns = namespaceTree(HOST.namespaces)
    .split('\n')
    .map((line) => line.slice(0, 15).trimEnd())
  assert.deepEqual(columns, [
    'BY OWNER',
    'user 10',
    '├─ pid 11',
    '└─ user 20',
    '   └─ user 21',
    '      ├─ net 30',
    '      └─ pid 22',
    '',
    'BY PARENT   NPR',
    'pid 11',
    '└─ pid 22',
    '',
  ])
  // What is above it isn't in sight.
  assert.match(namespaceTree([webPid]), /^BY OWNER .*\npid 22 .*\n\nBY PARENT .*\npid 22 .*\n$/)
  assert.equal(namespaceTree([]), '')
})

test('the graph: every text quoted, each edge between nodes that are there', () => {
  assert.equal(
    namespaceDot(HOST),
    lines(
      'digraph namespaces {',
      '  rankdir=LR',
      '  node [shape=box, style=filled, fillcolor=white, fontsize=10]',
      '  edge [fontsize=8]',
      String.raw`  "net 30" [label="net\n30", fillcolor="#d5e8d4"]`,
      String.raw`  "pid 11" [label="pid\n11", fillcolor="#f8cecc"]`,
      String.raw`  "pid 22" [label="pid\n22", fillcolor="#f8cecc"]`,
      String.raw`  "user 10" [label="user\n10", fillcolor="#e1d5e7"]`,
      String.raw`  "user 20" [label="user\n20", fillcolor="#e1d5e7"]`,
      String.raw`  "user 21" [label="user\n21", fillcolor="#e1d5e7"]`,
      String.raw`  "processes 1" [shape=ellipse, label="PID 1\n/sbin/init\nand 4 more"]`,
      String.raw`  "processes 1234" [shape=ellipse, label="PID 1234 → 1\nweb \"quoted\" \\ \\x1b[31m\nand 1 more"]`,
      '  "mount /run/netns/a (and in 1 more mnt)" [shape=note]',
      '  "fd 5 and 1 more of 7 (holder)" [shape=note]',
      '  "thread 8 of 7 (holder)" [shape=note]',
      '  "processes 1" -> "pid 11"',
      '  "processes 1" -> "user 10"',
      '  "processes 1234" -> "pid 22"',
      '  "processes 1234" -> "user 21"',
      '  "mount /run/netns/a (and in 1 more mnt)" -> "net 30" [style=dotted]',
      '  "fd 5 and 1 more of 7 (holder)" -> "net 30" [style=dotted]',
      '  "thread 8 of 7 (holder)" -> "net 30" [style=dotted]',
      '  "net 30" -> "user 21" [style=dashed, label="owned by"]',
      '  "pid 11" -> "user 10" [style=dashed, label="owned by"]',
      '  "pid 22" -> "pid 11" [label="child of"]',
      '  "pid 22" -> "user 21" [style=dashed, label="owned by"]',
      '  "user 20" -> "user 10" [label="child of"]',
      '  "user 21" -> "user 20" [label="child of"]',
      '}',
    ),
  )
})

test('all about one namespace', () => {
  assert.equal(
    namespaceText(HOST, inner, terminal),
    lines(
      'user 21',
      'isolates       User and group ids, and what capabilities reach.',
      'owner          user 20',
      'parent         user 20',
      'made by user   0',
      'owns           net 30',
      '               pid 22',
      String.raw`processes      1234, 1240   web "quoted" \ \x1b[31m`,
    ),
  )
  assert.match(namespaceText(HOST, net, terminal), /\nprocesses +none\nheld by +mount .*\n +fd 5 .*\n +thread 8 .*\n$/)
  assert.match(namespaceText(HOST, { ...net, holders: [] }, terminal), /\nheld by +nothing that can be seen\n$/)
})

test('a comparison: the same or own, and what ids are', () => {
  const map = [
    { inside: 0, outside: 100_000, size: 65_536 },
    { inside: 65_536, outside: 1000, size: 1 },
  ]
  const comparison: NamespaceComparison = {
    process: { ...web, command: 'web', uidMap: map, gidMap: [] },
    other: { ...init, uidMap: undefined, gidMap: undefined },
    otherIs: 'host',
    kinds: [
      { kind: 'net', same: true, process: 31, other: 31, isolates: 'The network.' },
      { kind: 'user', same: false, process: 21, other: 10, isolates: 'The users.' },
    ],
  }
  assert.equal(
    comparisonText(comparison, terminal),
    lines(
      'process   PID 1234 → 1   100000 → 0   web',
      'host      PID 1          root         /sbin/init',
      '',
      'TYPE          PID 1234   HOST   ISOLATES',
      'net    same   31         31     The network.',
      'user   own    21         10     The users.',
      '',
      'IDS OF PID 1234',
      '  user ids 0 to 65535   are 100000 to 165535 here',
      '  user id 65536         is 1000 here',
      '  no group id           is mapped',
    ),
  )
  const two = comparisonText({ ...comparison, otherIs: 'process' }, terminal)
  assert.match(two, /\nuser +different +21 +10 /)
  assert.match(two, /\nIDS OF PID 1\n +all user ids +are the same here\n +all group ids +are the same here\n$/)
})
