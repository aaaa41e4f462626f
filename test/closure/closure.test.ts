// What goes into a root besides libraries, and why.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../../src/linux/error.ts'
import type { ClosureOptions } from '../../src/rootfs/closure/closure.ts'
import { closure } from '../../src/rootfs/closure/closure.ts'
import { matchesPath, matchGlob } from '../../src/rootfs/closure/glob.ts'
import { parseInclude } from '../../src/rootfs/closure/include.ts'
import { Tree } from '../../src/rootfs/closure/tree.ts'
import type { Made } from './tree.ts'
import { makeTree } from './tree.ts'

const OWN = ['/dev', '/proc', '/sys', '/tmp']

/** Each entry as `path: kind of the first reason`, without those that every root has. */
const listed = (
  files: Readonly<Record<string, Made>> | string,
  programs: readonly string[],
  options: ClosureOptions = {},
): readonly string[] =>
  closure(programs, { root: typeof files === 'string' ? files : makeTree(files), path: '/bin', ...options })
    .entries.filter(({ path }) => !OWN.includes(path))
    .map(({ path, reasons }) => `${path}: ${reasons[0]?.kind}`)

const STATIC = { '/bin/a': {}, '/bin/b': {} }

test('programs are found by name, and by path', () => {
  assert.deepEqual(listed(STATIC, ['a', '/bin/b']), ['/bin/a: program', '/bin/b: program'])
  const root = makeTree({ '/usr/sbin/d': {}, '/bin/d': 'not executable' })
  chmodSync(join(root, 'bin/d'), 0o644)
  assert.deepEqual(listed(root, ['d']), ['/usr/sbin/d: program'], 'where root has programs, and executable')
})

test('what is no program is refused', () => {
  const refused = (programs: readonly string[], words: RegExp, files: Readonly<Record<string, Made>> = STATIC): void =>
    void assert.throws(() => listed(files, programs), words)
  refused([], /^InputError: cannot find what is needed: no program is given\n|^TareError: cannot find what is needed/)
  refused(
    ['c'],
    /cannot find the program c: there is none of that name\nGive its path, or a PATH that has it\. Looked in \/bin, \/usr\/local\/sbin, \/usr\/sbin, \/sbin\./,
  )
  refused(['/bin/c'], /cannot use the program .*\/bin\/c: ENOENT \(no such file or directory\)/)
  refused(['/bin'], /cannot use the program .*\/bin: it is a directory/)
  refused(['a\0b'], /that is no name/)
  refused(['t'], /cannot use the program \/bin\/t: it is neither an ELF file nor a script/, { '/bin/t': 'text' })
  refused(['e'], /cannot use the program \/bin\/e: it is neither/, { '/bin/e': '' })
  refused(['c'], /cannot read .*\/bin\/c: it is cut short/, { '/bin/c': '\x7fELF\x02\x01' })
})

test('scripts bring what runs them, env what it looks for', () => {
  const files = {
    '/bin/s': '#!/bin/t -x\n',
    '/bin/t': '#! /bin/env lang\n',
    '/bin/env': {},
    '/bin/lang': '-> lang1',
    '/bin/lang1': {},
  }
  const expected = [
    '/bin/env: interpreter',
    '/bin/lang: link',
    '/bin/lang1: interpreter',
    '/bin/s: program',
    '/bin/t: interpreter',
  ]
  assert.deepEqual(listed(files, ['s']), expected)
  const without = (name: string): Readonly<Record<string, Made>> =>
    Object.fromEntries(Object.entries(files).filter(([path]) => path !== name))
  assert.throws(
    () => listed(without('/bin/env'), ['s']),
    /cannot find \/bin\/env, which the first line of \/bin\/t names: it is not there/,
  )
  assert.throws(() => listed(without('/bin/lang'), ['s']), /cannot find the program lang: there is none/)
  assert.throws(
    () => listed({ '/bin/s': '#!/bin/sh\r\n' }, ['s']),
    /: it is not there\nThe line ends in a carriage return/,
  )
  assert.throws(() => listed({ '/bin/s': '#!\n' }, ['s']), /cannot use the script .*: its "#!" names no program/)
  assert.throws(
    () => listed({ '/bin/s': '#!t\n' }, ['s']),
    /cannot find t, which the first line of \/bin\/s names: where that is depends/,
  )
})

test('the kernel follows five scripts, and so do we', () => {
  const chain = (length: number): Readonly<Record<string, Made>> => {
    const scripts = Array.from({ length }, (_, index) => [`/bin/s${index}`, `#!/bin/s${index + 1}\n`] as const)
    return { ...Object.fromEntries(scripts), [`/bin/s${length}`]: {} }
  }
  assert.equal(listed(chain(5), ['s0']).length, 6)
  assert.throws(() => listed(chain(6), ['s0']), /no more than 5 scripts/)
  assert.throws(() => listed({ '/bin/s': '#!/bin/s\n' }, ['s']), /no more than 5 scripts/)
})

test('included are files, directories and what patterns match, at their place or another', () => {
  const files = { ...STATIC, '/d/x.txt': 'x', '/d/y.txt': 'y', '/d/sub/z': 'z', '/d/.h': 'h' }
  const include = (...each: readonly string[]) =>
    listed(files, ['a'], { include: each }).filter((line) => line !== '/bin/a: program')
  const all = ['/d/.h', '/d/sub/z', '/d/x.txt', '/d/y.txt']
  assert.deepEqual(
    include('/d').filter((line) => !line.endsWith('/d: included') && !line.endsWith('/sub: included')),
    all.map((path) => `${path}: included`),
  )
  assert.deepEqual(include('/d/*.txt'), ['/d/x.txt: included', '/d/y.txt: included'])
  assert.deepEqual(include('/d/[x-x]*:/e/'), ['/e/x.txt: included'])
  assert.deepEqual(include('/**/z'), ['/d/sub/z: included'])
  assert.deepEqual(include('/d/x.txt:/e/f'), ['/e/f: included'])
  assert.deepEqual(include('/d/sub:/e'), ['/e: included', '/e/z: included'])
  assert.throws(() => include('/none'), /cannot include .*\/none: /)
  assert.throws(() => include('/d/*.none'), /cannot include \/d\/\*\.none: it matches nothing\nQuote a pattern/)
})

test('what is included elsewhere gets there through the links of the root', () => {
  const files = { ...STATIC, '/lib': '-> usr/lib', '/usr/lib/x': 'x', '/d': 'd' }
  assert.deepEqual(listed(files, ['a'], { include: ['/d:/lib/y/d'] }), [
    '/bin/a: program',
    '/lib: link',
    '/usr/lib/y/d: included',
  ])
})

test('links in what is included come with what they lead to', () => {
  const root = makeTree({
    ...STATIC,
    '/d/one': '-> ../other/real',
    '/other/real': 'r',
    '/other/more': 'm',
    '/e': '-> other',
  })
  symlinkSync('/nowhere', join(root, 'd/dangling'))
  assert.deepEqual(listed(root, ['a'], { include: ['/d'] }), [
    '/bin/a: program',
    '/d: included',
    '/d/dangling: included',
    '/d/one: included',
    '/other/real: included',
  ])
  assert.deepEqual(listed(root, ['a'], { include: ['/e'] }), [
    '/bin/a: program',
    '/e: included',
    '/other: included',
    '/other/more: included',
    '/other/real: included',
  ])
})

test('libraries of what is included come along, and a missing one is no error but a warning', () => {
  const files = {
    ...STATIC,
    '/p/plugin.so': { needed: ['liba.so', 'libb.so'] },
    '/lib/liba.so': {},
    '/p/script': '#!/bin/none\n',
  }
  const { entries, warnings } = closure(['a'], { root: makeTree(files), path: '/bin', include: ['/p'] })
  assert.ok(entries.some(({ path, reasons }) => path === '/lib/liba.so' && reasons[0]?.kind === 'library'))
  assert.deepEqual(
    warnings.map((each) => each.split('\n')[0]),
    [
      'cannot find libb.so, which /p/plugin.so needs: it is nowhere where the loader looks',
      'cannot find /bin/none, which the first line of /p/script names: it is not there',
    ],
  )
})

test('a library that is there by another way is not missed; what only looks like a script is none', () => {
  const root = makeTree({
    ...STATIC,
    '/p/plugin.so': { needed: ['libb.so'] },
    '/o/libb.so': {},
    '/p/Module.pm': '#!perl\n',
  })
  chmodSync(join(root, 'p/Module.pm'), 0o644)
  assert.deepEqual(closure(['a'], { root, path: '/bin', include: ['/p', '/o'] }).warnings, [])
})

test('what is excluded stays out of what is included and traced', () => {
  const files = { ...STATIC, '/d/x.txt': 'x', '/d/secret/key': 'k', '/t/one': '1', '/t/two': '2' }
  const options = {
    include: ['/d'],
    exclude: ['/d/secret', '/**/two'],
    traced: ['/t/one', '/t/two', '/t/none', '/tmp/x'].map((path) => ({ path, kind: 'opened' as const, by: '/bin/a' })),
  }
  assert.deepEqual(listed(files, ['a'], options), [
    '/bin/a: program',
    '/d: included',
    '/d/x.txt: included',
    '/t/one: opened',
  ])
})

test('a minimal /etc has the accounts that are needed and no passwords', () => {
  const root = makeTree({
    ...STATIC,
    '/etc/passwd':
      'root:SECRET:0:0::/root:/bin/sh\nother:x:5:5::/:/bin/sh\nwww:x:33:34:web:/www:/sbin/nologin\nnobody:x:65534:65534::/:/x\n',
    '/etc/group': 'root:x:0:\nwww:x:34:\nadm:SECRET:4:www,other\nnone:x:9:other\nnogroup:x:65534:\n',
  })
  const made = Object.fromEntries(
    closure(['a'], { root, path: '/bin', accounts: ['www'] }).entries.flatMap((entry) =>
      entry.kind === 'made' ? [[entry.path, entry.content]] : [],
    ),
  )
  assert.deepEqual(Object.keys(made), ['/etc/group', '/etc/hosts', '/etc/nsswitch.conf', '/etc/passwd'])
  assert.equal(
    made['/etc/passwd'],
    'root:x:0:0::/root:/bin/sh\nwww:x:33:34:web:/www:/sbin/nologin\nnobody:x:65534:65534::/:/x\n',
  )
  assert.equal(made['/etc/group'], 'root:x:0:\nadm:x:4:www\nwww:x:34:\nnogroup:x:65534:\n')
  assert.throws(
    () => closure(['a'], { root, path: '/bin', accounts: ['nix'] }),
    /cannot add the account nix: .*\/etc\/passwd has none of that name/,
  )
})

test('an include in words', () => {
  assert.deepEqual(parseInclude('/a'), { source: '/a' })
  assert.deepEqual(parseInclude('a:b'), { source: 'a:b' })
  assert.deepEqual(parseInclude('a:b:/c'), { source: 'a:b', target: '/c' })
  assert.throws(() => parseInclude(''), /that is no path/)
})

test('a directory that a path only goes through is there', () => {
  const files = { ...STATIC, '/t/one': '1', '/d/x': 'x', '/l': '-> d/sub', '/d/sub/y': 'y' }
  const traced = [{ path: '/l/../x', kind: 'opened' as const, by: '/bin/a' }]
  assert.deepEqual(listed(files, ['a'], { traced }), ['/bin/a: program', '/d/sub: link', '/d/x: opened', '/l: link'])
})

test('any pattern is one, or refused', () => {
  const tree = new Tree(makeTree({ '/d/x': '' }))
  const piece = fc.constantFrom('*', '?', '[', ']', '!', '^', '-', '\\', 'x', '.', '(', '{', '$', '/', '|', 'ä')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      try {
        matchGlob(tree, `/${pieces.join('')}`)
      } catch (error) {
        assert.ok(error instanceof InputError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

test('patterns, as a shell has them', () => {
  const root = makeTree({ '/d/a.c': '', '/d/b.c': '', '/d/.c': '', '/d/[x]': '', '/d/e/f/g.c': '', '/d/ü.c': '' })
  mkdirSync(join(root, 'd/h.c'))
  const match = (pattern: string) => matchGlob(new Tree(root), pattern)
  assert.deepEqual(match('/d/*.c'), ['/d/a.c', '/d/b.c', '/d/h.c', '/d/ü.c'])
  assert.deepEqual(match('/d/?.c'), ['/d/a.c', '/d/b.c', '/d/h.c', '/d/ü.c'])
  assert.deepEqual(match('/d/[!a].c'), ['/d/b.c', '/d/h.c', '/d/ü.c'])
  assert.deepEqual(match('/d/[a-b].c'), ['/d/a.c', '/d/b.c'])
  assert.deepEqual(match(String.raw`/d/\[x\]`), ['/d/[x]'])
  assert.deepEqual(match('/**/g.c'), ['/d/e/f/g.c'])
  assert.deepEqual(match('/d/.*'), ['/d/.c'])
  assert.throws(() => match('/d/[z-a].c'), /cannot use the pattern \[z-a\]\.c: /)
  assert.deepEqual(
    [
      matchesPath('/a/*', '/a/b/c'),
      matchesPath('/a/*', '/a'),
      matchesPath('/**/c', '/a/b/c'),
      matchesPath('/a', '/ab'),
    ],
    [true, false, true, false],
  )
})
