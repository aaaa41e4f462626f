import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { namespaceMounts, readNamespaceMounts } from './namespace-mounts.ts'

test('mounts of namespaces’ files are told from all others', () => {
  const mountinfo = `22 27 0:20 / /proc rw shared:5 - proc proc rw
41 27 0:4 net:[4026532177] /run/netns/a\\040b rw shared:7 - nsfs nsfs rw
42 27 0:30 / /tmp/net:[1] rw - tmpfs nsfs rw
43 27 0:31 / /tmp rw - tmpfs \\040-\\040nsfs\\040x rw
44 27 0:4 pidfd:[12] /p rw - nsfs nsfs rw
45 27 0:4 mnt:[4026532178] /run/snapd/ns/x.mnt rw - nsfs nsfs rw
`
  assert.deepEqual(namespaceMounts(mountinfo), [
    { path: '/run/netns/a b', id: { kind: 'net', inode: 4_026_532_177 } },
    { path: '/run/snapd/ns/x.mnt', id: { kind: 'mnt', inode: 4_026_532_178 } },
  ])
  assert.deepEqual(namespaceMounts(''), [])
})

test('a table of mounts is read piece by piece', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-mounts-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const lines = Array.from({ length: 5000 }, (_, index) =>
    index % 1000 === 0
      ? `${index} 1 0:4 net:[${index}] /run/${index} rw - nsfs nsfs rw\n`
      : `${index} 1 8:1 / /${'x'.repeat(100 + (index % 7))} rw - ext4 /dev/sda rw\n`,
  )
  writeFileSync(join(directory, 'mountinfo'), lines.join(''))
  assert.deepEqual(
    readNamespaceMounts(join(directory, 'mountinfo')).map(({ path, id }) => [path, id.inode]),
    [0, 1000, 2000, 3000, 4000].map((index) => [`/run/${index}`, index]),
  )
})
