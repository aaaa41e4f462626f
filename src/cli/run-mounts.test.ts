import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseMount, parseTmpfs, parseVolume, splitFields } from './run-mounts.ts'

const refused = (parse: (value: string) => unknown, value: string, message: RegExp): void =>
  assert.throws(() => parse(value), { name: 'UsageError', message })

test('a volume is a source, a target and options', () => {
  assert.deepEqual(parseVolume('/a:/b'), { source: '/a', target: '/b' })
  assert.deepEqual(parseVolume('.:/b:ro'), { source: '.', target: '/b', readOnly: true })
  assert.deepEqual(parseVolume('./a:/b:rw,noexec,rslave,bind,noidmap,nosuid'), {
    source: './a',
    target: '/b',
    readOnly: false,
    noExec: true,
    propagation: 'slave',
    recursive: false,
    idmap: false,
  })
})

test('a volume that is none is refused', () => {
  refused(parseVolume, '/a', /^cannot use --volume=\/a: it has no target\n.*--tmpfs=\/a/)
  refused(parseVolume, ':/b', /it is not SOURCE:TARGET/)
  refused(parseVolume, '/a:', /it is not SOURCE:TARGET/)
  refused(parseVolume, '/a:/b:ro:x', /it is not SOURCE:TARGET/)
  refused(parseVolume, 'data:/b', /"data" is a name, and there are no volumes by name yet\nWrite \.\/data\./)
  refused(parseVolume, '/a:/b:z', /relabels files for SELinux/)
  for (const word of ['rx', 'constructor', '__proto__'])
    refused(parseVolume, `/a:/b:${word}`, new RegExp(`there is no option "${word}"\nThere is ro, `))
})

test('a file system in memory has a size and a mode', () => {
  assert.deepEqual(parseTmpfs('/t'), { type: 'tmpfs', target: '/t' })
  assert.deepEqual(parseTmpfs('/t:size=64m,mode=0755,exec,ro'), {
    type: 'tmpfs',
    target: '/t',
    size: '64m',
    mode: 0o755,
    exec: true,
    readOnly: true,
  })
  refused(parseTmpfs, '', /it is not TARGET/)
  refused(parseTmpfs, '/t:mode=8', /"8" is no octal mode/)
  refused(parseTmpfs, '/t:size', /there is no option "size"/)
  refused(parseTmpfs, '/t:uid=5', /there is no option "uid=5"/)
})

test('a mount is written in fields', () => {
  assert.deepEqual(
    parseMount('type=bind,src=./a,dst=/b,ro,noexec=false,bind-propagation=rshared,bind-recursive=disabled'),
    {
      type: 'bind',
      source: './a',
      target: '/b',
      readOnly: true,
      noExec: false,
      propagation: 'shared',
      recursive: false,
    },
  )
  assert.deepEqual(parseMount('source=/a,destination=/b,readonly=false,idmap=0'), {
    type: 'bind',
    source: '/a',
    target: '/b',
    readOnly: false,
    idmap: false,
  })
  assert.deepEqual(parseMount('type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777,exec'), {
    type: 'tmpfs',
    target: '/t',
    size: '1m',
    mode: 0o1777,
    exec: true,
  })
  assert.deepEqual(parseMount('type=overlay,lower=/a:/b,target=/o,keep=/k'), {
    type: 'overlay',
    lower: ['/a', '/b'],
    target: '/o',
    keep: '/k',
  })
  assert.deepEqual(parseMount('"source=/with,comma","target=/a""b"'), {
    type: 'bind',
    source: '/with,comma',
    target: '/a"b',
  })
})

test('a mount that is none is refused', () => {
  refused(parseMount, 'type=volume,source=a,target=/a', /there is no type "volume"\nThere is bind, tmpfs and overlay\./)
  refused(parseMount, 'type=constructor,target=/a', /there is no type "constructor"/)
  refused(parseMount, 'type=tmpfs,source=/a,target=/a', /a mount of type tmpfs has no "source"/)
  refused(parseMount, 'source=/a', /target is missing/)
  refused(parseMount, 'target=/a', /source is missing/)
  refused(parseMount, 'src=/a,source=/b,target=/c', /"source" is given more than once/)
  refused(parseMount, 'source=/a,target=/b,ro=maybe', /"readonly=maybe" is neither true nor false/)
  refused(parseMount, 'source=/a,target=/b,bind-propagation=x', /there is no propagation "x"/)
  refused(parseMount, 'source=/a,"target=/b', /a double quote is not closed/)
})

test('fields come apart as they were put together', () => {
  const quote = (field: string): string => (/[",]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', ',', '"', '=') }), { minLength: 1 }), (fields) => {
      assert.deepEqual(splitFields(fields.map(quote).join(',')), fields)
    }),
  )
})

test('volumes without special characters come through', () => {
  const path = fc.stringMatching(/^\/[a-z./ -]{1,20}$/)
  fc.assert(
    fc.property(path, path, fc.boolean(), (source, target, readOnly) => {
      const expected = { source, target, readOnly }
      assert.deepEqual(parseVolume(`${source}:${target}:${readOnly ? 'ro' : 'rw'}`), expected)
    }),
  )
})
