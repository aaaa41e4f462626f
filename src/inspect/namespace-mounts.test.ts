import assert from 'node:assert/strict'
import { test } from 'node:test'

import { namespaceMounts } from './namespace-mounts.ts'

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
