import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import type { Case } from '../case.ts'
import { prints, refuses, shows } from '../expect.ts'

const ROOT = 'config.md, Root'
const WRITES = 'touch /mark 2>/dev/null && echo written || echo refused'

export const rootCases: readonly Case[] = [
  prints(ROOT, 'a relative path is relative to the bundle', { root: { path: 'rootfs' } }, 'ls -d /srv', ['/srv']),
  prints(
    ROOT,
    'an absolute path is taken as it is',
    (bundle) => ({ root: { path: `${bundle}/rootfs` } }),
    'ls -d /srv',
    ['/srv'],
  ),
  refuses(
    ROOT,
    'there is a directory at the path',
    {},
    { prepare: ({ rootfs }) => rmSync(rootfs, { recursive: true }) },
  ),
  refuses(
    ROOT,
    'what is at the path is no file',
    { root: { path: 'file' } },
    { prepare: (container) => container.write('file', '') },
  ),
  prints(ROOT, 'it is read-only where readonly is true', { root: { readonly: true } }, WRITES, ['refused']),
  prints(ROOT, 'it can be written to where readonly is false', { root: { readonly: false } }, WRITES, ['written']),
  prints(ROOT, 'it can be written to where nothing is said', {}, WRITES, ['written']),
  shows(ROOT, 'nothing of the host outside of it is there', {}, 'ls -A /', (output) => {
    assert.deepEqual(output.split('\n').toSorted(), ['bin', 'dev', 'etc', 'mnt', 'proc', 'root', 'srv', 'sys', 'tmp'])
  }),
  prints(
    'config.md, Extensibility',
    'a property that nobody knows is no error',
    { 'org.example.unknown': { deep: [1, 2] }, process: { unheardOf: true }, linux: { later: 'perhaps' } },
    'echo runs',
    ['runs'],
  ),
]
