// How loaders find libraries, in roots that were made for it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { test } from 'node:test'
import type { Closure } from '../../src/rootfs/closure/closure.ts'
import { closure } from '../../src/rootfs/closure/closure.ts'
import { makeCache } from './make-cache.ts'
import type { Made } from './tree.ts'
import { makeTree } from './tree.ts'

const LOADER = '/lib64/ld-linux-x86-64.so.2'
/** A loader of glibc, by what is read of one: its soname and the directories it was built with. */
const GLIBC: Readonly<Record<string, Made>> = {
  [LOADER]: { soname: 'ld-linux-x86-64.so.2', needed: [], runpath: '/lib/x\0/usr/lib/x\0' },
}
const MUSL = '/lib/ld-musl-x86_64.so.1'

const program = (parts: Made): Made => (typeof parts === 'object' ? { interpreter: LOADER, ...parts } : parts)

const of = (files: Readonly<Record<string, Made>>, programs: readonly string[] = ['/bin/p']): Closure =>
  closure(programs, { root: makeTree(files), path: '/bin' })

/** The libraries that a closure has, sorted. */
const libraries = ({ entries }: Closure): readonly string[] =>
  entries
    .filter(({ reasons }) => reasons.some(({ kind }) => kind === 'library' || kind === 'variant'))
    .map(({ path }) => path)

const find = (files: Readonly<Record<string, Made>>): readonly string[] => libraries(of({ ...GLIBC, ...files }))

test('RUNPATH is for what the file itself needs, RPATH also for what that needs, and none of a file that has both', () => {
  const below = { '/a/liba.so': { needed: ['libb.so'] }, '/a/libb.so': {}, '/lib/libb.so': {} }
  const p = (parts: Made): Record<string, Made> => ({ '/bin/p': program(parts), ...below })
  assert.deepEqual(find(p({ needed: ['liba.so'], rpath: '/a' })), ['/a/liba.so', '/a/libb.so'])
  assert.deepEqual(find(p({ needed: ['liba.so'], runpath: '/a' })), ['/a/liba.so', '/lib/libb.so'])
  assert.deepEqual(find(p({ needed: ['liba.so'], runpath: '/a', rpath: '/b' })), ['/a/liba.so', '/lib/libb.so'])
  const own = { ...below, '/a/liba.so': { needed: ['libb.so'], runpath: '/none' } }
  assert.deepEqual(
    find({ ...own, '/bin/p': program({ needed: ['liba.so'], rpath: '/a' }) }),
    ['/a/liba.so', '/lib/libb.so'],
    'whoever has RUNPATH inherits no RPATH',
  )
})

test('$ORIGIN is where a program really is, and a library by the path that led to it', () => {
  const found = find({
    '/bin/p': '-> ../opt/app/bin/p',
    '/opt/app/bin/p': program({ needed: ['liba.so'], runpath: '$ORIGIN/../lib:/none' }),
    '/opt/app/lib/liba.so': '-> ../real/liba.so',
    '/opt/app/real/liba.so': { needed: ['libb.so'], runpath: '${ORIGIN}' },
    '/opt/app/lib/libb.so': {},
  })
  assert.deepEqual(found, ['/opt/app/lib/libb.so', '/opt/app/real/liba.so'])
})

test('$LIB and $PLATFORM; what is left relative is not followed', () => {
  const files = { '/o/lib64/liba.so': {}, '/o/x86_64/libb.so': {}, '/lib/libc.so': {}, '/here/libc.so': {} }
  const p = program({ needed: ['liba.so', 'libb.so', 'libc.so'], runpath: 'here::/o/$LIB:/o/${PLATFORM}' })
  assert.deepEqual(find({ '/bin/p': p, ...files }), ['/lib/libc.so', '/o/lib64/liba.so', '/o/x86_64/libb.so'])
})

test('a name with a slash is a path', () => {
  const p = program({ needed: ['/o/liba.so', '$ORIGIN/libb.so'] })
  assert.deepEqual(find({ '/bin/p': p, '/o/liba.so': {}, '/bin/libb.so': {} }), ['/bin/libb.so', '/o/liba.so'])
})

test('what is loaded by a soname is not looked for again', () => {
  const found = find({
    '/bin/p': program({ needed: ['/o/liba.so.1.2', 'libb.so'] }),
    '/o/liba.so.1.2': { soname: 'liba.so.1' },
    '/lib/libb.so': { needed: ['liba.so.1', 'ld-linux-x86-64.so.2'] },
    '/lib/liba.so.1': {},
  })
  assert.deepEqual(found, ['/lib/libb.so', '/o/liba.so.1.2'])
})

test('libraries of another architecture are passed over; one that is no ELF file is an error, as for the loader', () => {
  const p = program({ needed: ['liba.so'], runpath: '/a:/b' })
  const b = { '/b/liba.so': {} }
  assert.deepEqual(find({ '/bin/p': p, '/a/liba.so': { machine: 183 }, ...b }), ['/b/liba.so'])
  assert.deepEqual(find({ '/bin/p': p, '/a/liba.so': { bits: 32, machine: 3 }, ...b }), ['/b/liba.so'])
  assert.throws(() => find({ '/bin/p': p, '/a/liba.so': 'GROUP ( libx.so )', ...b }), {
    code: 'ERR_TARE_INPUT',
    message: /^cannot read .*\/a\/liba\.so: it is no ELF file$/,
  })
})

test('all variants for kinds of processors come along, also those that only the cache knows', () => {
  const v3 = '/lib64/glibc-hwcaps/x86-64-v3/liba.so'
  const files = {
    '/bin/p': program({ needed: ['liba.so', 'libb.so'] }),
    '/lib64/liba.so': {},
    [v3]: {},
    '/o/libb.so': {},
    '/o/v2/libb.so': {},
  }
  const cache = makeCache(
    [
      { soname: 'libb.so', path: '/o/v2/libb.so', variant: 'x86-64-v2' },
      { soname: 'libb.so', path: '/o/libb.so', variant: undefined },
      { soname: 'libb.so', path: '/o2/libb.so', variant: undefined },
    ],
    { bigEndian: false, behindOld: false },
  )
  const found = of({ ...GLIBC, ...files, '/o2/libb.so': {}, '/etc/ld.so.cache': cache })
  assert.deepEqual(libraries(found), [v3, '/lib64/liba.so', '/o/libb.so', '/o/v2/libb.so'])
  assert.deepEqual(
    found.entries.find(({ path }) => path === '/etc/ld.so.cache')?.reasons.map(({ kind, by }) => [kind, by]),
    [
      ['loader configuration', '/o/v2/libb.so'],
      ['loader configuration', '/o/libb.so'],
    ],
  )
})

test('the cache stays out where the loader finds all without it', () => {
  const cache = makeCache([{ soname: 'liba.so', path: '/lib64/liba.so', variant: undefined }], {
    bigEndian: false,
    behindOld: true,
  })
  const { entries } = of({
    ...GLIBC,
    '/bin/p': program({ needed: ['liba.so'] }),
    '/lib64/liba.so': {},
    '/etc/ld.so.cache': cache,
  })
  assert.equal(
    entries.some(({ path }) => path.startsWith('/etc')),
    false,
  )
})

test('DF_1_NODEFLIB shuts the usual directories out', () => {
  const p = program({ needed: ['liba.so'], noDefaultLibraries: true })
  assert.throws(() => find({ '/bin/p': p, '/lib/liba.so': {} }), /cannot find liba\.so, which \/bin\/p needs/)
  assert.deepEqual(
    find({ '/bin/p': program({ needed: ['liba.so'], noDefaultLibraries: true, runpath: '/lib' }), '/lib/liba.so': {} }),
    ['/lib/liba.so'],
  )
})

test('DT_FILTER has to be there, DT_AUXILIARY may', () => {
  const p = program({ filters: ['libf.so'], auxiliaries: ['libg.so', 'libh.so'] })
  assert.deepEqual(find({ '/bin/p': p, '/lib/libf.so': {}, '/lib/libh.so': {} }), ['/lib/libf.so', '/lib/libh.so'])
})

test('what a note says is opened comes along where it is there, with what it needs, after all else', () => {
  const opens = (...names: readonly (readonly string[])[]): string =>
    JSON.stringify(names.map((soname) => ({ soname })))
  const found = find({
    '/bin/p': program({ needed: ['liba.so'], opens: opens(['libnone.so', 'libb.so', 'libc.so'], ['libnone.so']) }),
    '/lib/liba.so': { opens: opens(['libd.so']) },
    '/lib/libb.so': { needed: ['libe.so', 'libmissing.so'] },
    '/lib/libc.so': {},
    '/lib/libd.so': {},
    '/lib/libe.so': {},
  })
  assert.deepEqual(found, ['/lib/liba.so', '/lib/libb.so', '/lib/libd.so', '/lib/libe.so'])
})

test('a library that is nowhere: who needs it, where was looked, and what is nearly it', () => {
  const files = {
    '/bin/p': program({ needed: ['liba.so'] }),
    '/lib/liba.so': { needed: ['libmissing.so.1'], runpath: '/a' },
    '/usr/lib/libmissing.so.1': { machine: 40 },
    '/etc/ld.so.conf': 'include ld.so.conf.d/*.conf\n',
    '/etc/ld.so.conf.d/x.conf': '/opt/x\n',
  }
  assert.throws(() => find(files), {
    code: 'ERR_TARE_INPUT',
    message:
      'cannot find libmissing.so.1, which /lib/liba.so needs: it is nowhere where the loader looks\n' +
      'Install it. Looked in /a (RUNPATH of /lib/liba.so), /etc/ld.so.cache, /lib64/, /usr/lib64/, /lib/, /usr/lib/. ' +
      'Of another architecture: /usr/lib/libmissing.so.1.',
  })
  assert.throws(
    () => find({ ...files, '/opt/x/libmissing.so.1': {} }),
    /\nIt is in \/opt\/x, which \/etc\/ld\.so\.conf names and \/etc\/ld\.so\.cache doesn't know: run ldconfig\./,
  )
})

test('a missing loader is named', () => {
  assert.throws(
    () => of({ '/bin/p': program({}) }),
    /cannot find \/lib64\/ld-linux-x86-64\.so\.2, the loader of \/bin\/p: it is not there\n/,
  )
})

test("musl's rules: its own list of directories, RUNPATH inherited, its own libraries in the loader", () => {
  const files: Readonly<Record<string, Made>> = {
    [MUSL]: { soname: 'libc.musl-x86_64.so.1' },
    '/etc/ld-musl-x86_64.path': '/m\n/n\n',
    '/bin/p': { interpreter: MUSL, needed: ['liba.so', 'libc.musl-x86_64.so.1', 'libpthread.so.0'], runpath: '/a' },
    '/a/liba.so': { needed: ['libb.so', 'libn.so'] },
    '/a/libb.so': {},
    '/lib/libb.so': {},
    '/n/libn.so': {},
  }
  const found = of(files)
  assert.deepEqual(libraries(found), ['/a/liba.so', '/a/libb.so', '/n/libn.so'])
  assert.deepEqual(
    found.entries.filter(({ path }) => /musl/.test(path)).map(({ path, reasons }) => [path, reasons[0]?.kind]),
    [
      ['/etc/ld-musl-x86_64.path', 'loader configuration'],
      [MUSL, 'interpreter'],
    ],
  )
  const { '/etc/ld-musl-x86_64.path': _, ...without } = files
  assert.deepEqual(libraries(of({ ...without, '/usr/lib/libn.so': {} })), [
    '/a/liba.so',
    '/a/libb.so',
    '/usr/lib/libn.so',
  ])
})

test('links are kept, each on its way, those of directories too', () => {
  const { entries } = of({
    '/lib': '-> usr/lib',
    '/lib64': '-> /usr/lib64',
    '/usr/lib64/ld-linux-x86-64.so.2': '-> ../lib/ld.so',
    '/usr/lib/ld.so': {},
    '/bin/p': program({ needed: ['liba.so.1'] }),
    '/usr/lib/liba.so.1': '-> liba.so.1.2',
    '/usr/lib/liba.so.1.2': {},
  })
  const expected = {
    '/lib': 'usr/lib',
    '/lib64': '/usr/lib64',
    '/usr/lib/liba.so.1': 'liba.so.1.2',
    '/usr/lib64/ld-linux-x86-64.so.2': '../lib/ld.so',
  }
  const links = entries.flatMap((entry) => (entry.kind === 'link' ? [[entry.path, entry.target]] : []))
  assert.deepEqual(Object.fromEntries(links), expected)
  assert.equal(
    entries.some(({ path }) => path === '/usr/lib/ld.so'),
    true,
  )
})

test('no link leads out of the root, nor around in circles for ever', () => {
  const { entries } = of({
    ...GLIBC,
    '/bin/p': '-> ../../../../../../../bin/q',
    '/bin/q': program({}),
    '/bin/x': '-> x',
  })
  assert.equal(
    entries.some(({ path, reasons }) => path === '/bin/q' && reasons[0]?.kind === 'program'),
    true,
  )
  assert.throws(() => of({ '/bin/p': '-> p' }), /cannot use the program .*\/bin\/p: ELOOP /)
})

test('programs of this host have the libraries that their loader says', (t) => {
  if (process.arch !== 'x64' || !existsSync(LOADER)) return t.skip('needs a glibc of x86-64')
  const programs = readdirSync('/usr/bin')
    .filter((_, index) => index % 23 === 0)
    .map((name) => `/usr/bin/${name}`)
  let compared = 0
  for (const path of programs) {
    let found: Closure
    try {
      found = closure([path])
    } catch {
      // A script whose interpreter isn't installed, and the like.
      continue
    }
    const [own] = found.entries.filter(({ reasons }) => reasons.some(({ kind }) => kind === 'program'))
    const isLinked = found.entries.some(({ reasons }) =>
      reasons.some(({ kind, by }) => kind === 'interpreter' && by === own?.path),
    )
    if (
      !isLinked ||
      !found.entries.some(({ reasons }) => reasons.some(({ kind, by }) => kind === 'library' && by === own?.path))
    )
      continue
    // Asked so, the loader takes the path for $ORIGIN as it is; of what the kernel starts it knows the true one.
    const said = execFileSync(LOADER, ['--list', realpathSync(path)], { encoding: 'utf8' })
    const expected = Array.from(said.matchAll(/=> (\/\S+)/g), ([, file = '']) => realpathSync(file))
    const loader = realpathSync(LOADER)
    assert.deepEqual(libraries(found), [...new Set(expected)].filter((file) => file !== loader).toSorted(), path)
    compared++
  }
  t.diagnostic(`${compared} programs`)
  assert.ok(compared > 3)
})
