import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  ALL_CAPABILITIES,
  clearFileCapabilities,
  clearFileCapabilitiesBelow,
  findFileCapabilities,
  formatCapabilityText,
  formatFileCapabilities,
  getFileCapabilities,
  parseCapabilityText,
  setFileCapabilities,
  toFileCapabilities,
  verifyFileCapabilities,
} from '../../src/linux/index.ts'
import { inChild, lacksProgram, lacksRoot } from './child.ts'

const lack = lacksRoot() ?? lacksProgram('setcap', 'getcap')
const options = lack === undefined ? {} : { skip: lack }

const temporary = (t: TestContext): string => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-file-capability-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

/** A file that anybody may execute. */
const program = (directory: string, name: string): string => {
  const path = join(directory, name)
  writeFileSync(path, '', { mode: 0o755 })
  return path
}

const capabilities = (text: string, rootId?: number) => ({ ...toFileCapabilities(parseCapabilityText(text)), rootId })

/** Before a command: without privileges, as this user. */
const asUser = (id: number): readonly string[] => ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--clear-groups']

/** What getcap(8) says of a file. */
const getcap = (...args: readonly string[]): string => execFileSync('getcap', args, { encoding: 'utf8' })

const descriptors = (): number => readdirSync('/proc/self/fd').length

test('what we give is what getcap sees, and the reverse', options, (t) => {
  const file = program(temporary(t), 'program')
  const few = fc.subarray(
    Array.from({ length: 41 }, (_, bit) => 1n << BigInt(bit)),
    { maxLength: 5 },
  )
  const set = fc.oneof(
    few.map((bits) => bits.reduce((all, bit) => all | bit, 0n)),
    fc.bigInt(0n, ALL_CAPABILITIES),
  )
  // From 2147483648 on getcap shows root ids as negative.
  const state = fc.tuple(set, set, fc.boolean(), fc.option(fc.integer({ min: 1, max: 0x7fffffff })))
  fc.assert(
    fc.property(state, ([permitted, inheritable, effective, rootId]) => {
      const wanted = { permitted, inheritable, effective, rootId: rootId ?? undefined }
      setFileCapabilities([file], wanted)
      const ours = `${file} ${formatFileCapabilities(wanted)}${rootId === null ? '' : ` [rootid=${rootId}]`}\n`
      assert.equal(getcap('-n', file), ours)
      const text = formatFileCapabilities(wanted)
      const root = rootId === null ? [] : ['-n', `${rootId}`]
      assert.equal(execFileSync('setcap', ['-v', ...root, text, file], { encoding: 'utf8' }), `${file}: OK\n`)
      // Back through setcap: what it writes, we read as the same.
      assert.deepEqual(clearFileCapabilities([file]), [true])
      execFileSync('setcap', [...root, text, file])
      const { revision, ...read } = getFileCapabilities(file) ?? {}
      assert.equal(revision, rootId === null ? 2 : 3)
      // An effective flag on a file without capabilities is lost in the text form.
      const flag = effective && (permitted | inheritable) !== 0n
      assert.deepEqual({ rootId: undefined, ...read }, { ...wanted, effective: flag })
      assert.deepEqual(verifyFileCapabilities(file, wanted), [])
    }),
    { numRuns: 25 },
  )
})

test('texts that setcap refuses, we refuse; and those that give a file what it can hold are taken', options, (t) => {
  const file = program(temporary(t), 'program')
  for (const text of ['cap_kill=ep', '=', '=p', 'cap_kill=ei cap_chown+ep', 'cap_kill=i', 'all=ip cap_chown-i']) {
    setFileCapabilities([file], capabilities(text))
    assert.equal(spawnSync('setcap', ['-v', text, file]).status, 0, text)
    assert.deepEqual(verifyFileCapabilities(file, capabilities(text)), [], text)
  }
  for (const text of ['cap_kill=i cap_chown+ep', 'cap_kill=p cap_chown+ei', 'all=p cap_chown+e']) {
    assert.equal(spawnSync('setcap', [text, file]).status, 1, text)
    assert.throws(() => capabilities(text), /a file makes all of its capabilities effective, or none\nWrite e for each/)
  }
  assert.throws(() => setFileCapabilities([file], capabilities('41=p')), /cap_41: this kernel knows none/)
})

test('verify names what differs, as setcap -v does', options, (t) => {
  const file = program(temporary(t), 'program')
  const differs = (text: string, rootId?: number): string => {
    const root = rootId === undefined ? [] : ['-n', `${rootId}`]
    const { stdout } = spawnSync('setcap', ['-v', ...root, text, file], { encoding: 'utf8' })
    const letters = /differs in \[([pie]*)\]/.exec(stdout)?.[1] ?? ''
    const ours = verifyFileCapabilities(file, capabilities(text, rootId))
    const named = { p: 'permitted', i: 'inheritable', e: 'effective' } as const
    for (const letter of ['p', 'i', 'e'] as const) {
      assert.equal(ours.includes(named[letter]), letters.includes(letter), `${text} ${letter}`)
    }
    assert.equal(ours.includes('rootId'), stdout.includes('nsowner'), text)
    return ours.join(' ')
  }
  assert.equal(differs('cap_kill=p'), 'permitted')
  assert.equal(differs('='), '')
  setFileCapabilities([file], capabilities('cap_kill=ep', 1000))
  assert.equal(differs('cap_kill=ep', 1000), '')
  assert.equal(differs('cap_kill=ep'), 'rootId')
  assert.equal(differs('cap_kill=p', 1001), 'effective rootId')
  assert.equal(differs('cap_chown=ei', 1000), 'effective inheritable permitted')
})

test('what is no regular file is refused, and so are files that hold none', options, (t) => {
  const directory = temporary(t)
  const file = program(directory, 'program')
  const link = join(directory, 'link')
  symlinkSync('program', link)
  const fifo = join(directory, 'fifo')
  execFileSync('mkfifo', [fifo])
  const before = descriptors()
  const kill = capabilities('cap_kill=p')
  for (const attempt of [
    (path: string): unknown => getFileCapabilities(path),
    (path: string): unknown => setFileCapabilities([file, path], kill),
    (path: string): unknown => clearFileCapabilities([file, path]),
  ]) {
    assert.throws(() => attempt(link), /: it is a symbolic link\nName the file that it leads to: program$/)
    assert.throws(() => attempt(directory), /: it is a directory\nOnly regular files/)
    assert.throws(() => attempt(fifo), /: it is no regular file\n/)
    assert.throws(() => attempt('/dev/null'), /\/dev\/null: it is no regular file\n/)
    assert.throws(() => attempt(join(directory, 'none')), /none: ENOENT \(.*\)\nThere is no such file\.$/)
    assert.throws(() => attempt(join(file, 'none')), /none: ENOTDIR/)
  }
  assert.equal(getFileCapabilities(file), undefined)
  assert.equal(getFileCapabilities('/proc/version'), undefined)
  assert.throws(() => setFileCapabilities([file, '/proc/version'], kill), {
    code: 'EOPNOTSUPP',
    message:
      /^cannot give capabilities to \/proc\/version: EOPNOTSUPP .*\nThe file system, .*holds no such attributes\.$/,
  })
  assert.equal(getFileCapabilities(file), undefined)
  assert.equal(descriptors(), before)
})

test('what the kernel refuses after others were changed undoes those', options, (t) => {
  const directory = temporary(t)
  chmodSync(directory, 0o777)
  const foreign = program(directory, 'foreign')
  const result = inChild(
    `
    // Root of a user namespace to which the last file's owner means nothing: that shows when it is changed, not before.
    const own = ['a', 'b'].map((name) => ${JSON.stringify(directory)} + '/' + name)
    for (const path of own) fs.writeFileSync(path, '', { mode: 0o755 })
    linux.setFileCapabilities([own[1]], { permitted: 1n, inheritable: 1n, effective: false })
    const files = [...own, ${JSON.stringify(foreign)}]
    const messages = []
    for (const attempt of [
      () => linux.setFileCapabilities(files, { permitted: 32n, inheritable: 0n, effective: true }),
      () => linux.clearFileCapabilities(files),
    ]) try { attempt() } catch (error) { messages.push(error.message) }
    done([messages, files.map((path) => linux.getFileCapabilities(path) ?? null)])
    `,
    { through: [...asUser(100000), 'unshare', '--user', '--map-root-user'] },
  )
  const [messages, found] = result as [string[], unknown[]]
  assert.match(messages[0] ?? '', /^cannot give capabilities to .*foreign: EPERM/)
  assert.match(messages[1] ?? '', /^cannot take the capabilities of .*foreign: EPERM/)
  assert.deepEqual(found, [null, { revision: 2, permitted: '1', inheritable: '1', effective: false }, null])
})

test('what can not be changed is found before anything is', options, (t) => {
  const directory = temporary(t)
  const files = ['a', 'b'].map((name) => program(directory, name))
  const [first = '', second = ''] = files
  setFileCapabilities([second], capabilities('cap_chown=ip', 5))
  for (const [flag, what] of [
    ['i', 'immutable'],
    ['a', 'append-only'],
  ] as const) {
    if (spawnSync('chattr', [`+${flag}`, second]).status !== 0) return t.skip('needs a file system with chattr')
    try {
      const message = new RegExp(`b: EPERM .*\\nIt is ${what}: "chattr -${flag}" takes that away\\.$`)
      assert.throws(() => setFileCapabilities(files, capabilities('cap_kill=ep')), { message })
      assert.throws(() => clearFileCapabilities(files), { message })
      assert.throws(() => clearFileCapabilitiesBelow([directory]), { message })
      assert.equal(getcap('-n', first, second), `${second} cap_chown=ip [rootid=5]\n`)
    } finally {
      execFileSync('chattr', [`-${flag}`, second])
    }
  }
})

test('why capabilities will have no effect is said', options, (t) => {
  const directory = temporary(t)
  const files = ['program', 'script', 'data'].map((name) => program(directory, name))
  writeFileSync(files[1] ?? '', '#!/bin/sh\n')
  chmodSync(files[2] ?? '', 0o644)
  const doubts = setFileCapabilities(files, capabilities('cap_kill=ep')).map(({ path, reason }) => [
    path.slice(directory.length),
    reason,
  ])
  assert.deepEqual(doubts, [
    ['/script', 'it is a script: the kernel looks at those of its interpreter'],
    ['/data', 'nobody may execute it'],
  ])
})

test('on mounts that allow none it is refused or said', options, (t) => {
  const directory = temporary(t)
  const seen = inChild(
    `
    import { execFileSync } from 'node:child_process'
    const directory = ${JSON.stringify(directory)}
    const kill = { permitted: 32n, inheritable: 0n, effective: true }
    const make = (options) => {
      const path = fs.mkdtempSync(directory + '/mount-')
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
      fs.writeFileSync(path + '/program', '', { mode: 0o755 })
      return path
    }
    const suid = make('nosuid')
    const doubts = linux.setFileCapabilities([suid + '/program'], kill)
    const locked = make('mode=755')
    execFileSync('mount', ['-o', 'remount,ro,bind', locked])
    const messages = []
    for (const attempt of [
      () => linux.setFileCapabilities([suid + '/program', locked + '/program'], kill),
      () => linux.clearFileCapabilities([suid + '/program', locked + '/program']),
    ]) try { attempt() } catch (error) { messages.push(error.message) }
    const kept = linux.getFileCapabilities(suid + '/program')
    done([doubts.map(({ reason }) => reason), messages, kept.permitted])
    `,
    { through: ['unshare', '--mount'] },
  )
  const [reasons, messages, kept] = seen as [string[], string[], string]
  assert.match(reasons.join(), /^\/.*\/mount-\S+ is mounted nosuid$/)
  assert.match(messages[0] ?? '', /^cannot give capabilities to .*: EROFS \(.*\)\n\/.* is mounted read-only\.$/)
  assert.match(messages[1] ?? '', /^cannot take the capabilities of .*: EROFS/)
  assert.equal(kept, '32')
})

test('without CAP_SETFCAP it is refused, and named', options, (t) => {
  const directory = temporary(t)
  chmodSync(directory, 0o755)
  const files = [program(directory, 'a'), program(directory, 'b')]
  const messages = inChild(
    `
    const files = ${JSON.stringify(files)}
    const messages = []
    for (const attempt of [
      () => linux.setFileCapabilities(files, { permitted: 32n, inheritable: 0n, effective: true }),
      () => linux.clearFileCapabilities(files),
    ]) try { attempt() } catch (error) { messages.push(error.code + ' ' + error.message) }
    done([messages, linux.getFileCapabilities(files[0]) ?? null])
    `,
    { through: asUser(65534) },
  )
  const [texts, none] = messages as [string[], null]
  assert.match(texts[0] ?? '', /^EPERM cannot give capabilities to .*a: EPERM .*\nIt takes CAP_SETFCAP/)
  assert.match(texts[1] ?? '', /^EPERM cannot take the capabilities of .*a: EPERM .*\nIt takes CAP_SETFCAP/)
  assert.equal(none, null)
})

test('a tree is gone through as getcap -r does, without links and other mounts', options, (t) => {
  const directory = temporary(t)
  const outside = program(temporary(t), 'outside')
  const deep = join(directory, 'x/y/z')
  mkdirSync(deep, { recursive: true })
  const names = ['program', 'x/one', 'x/y/z/two', 'x/y/with space', 'x/y/new\nline']
  for (const name of names) setFileCapabilities([program(directory, name)], capabilities('cap_kill=ep'))
  program(directory, 'x/none')
  setFileCapabilities([outside], capabilities('cap_chown=p'))
  symlinkSync(outside, join(directory, 'x/link'))
  symlinkSync('../..', join(deep, 'up'))
  linkSync(join(directory, 'program'), join(deep, 'again'))
  const odd = Buffer.concat([Buffer.from(`${directory}/x/`), Buffer.from([0xff, 0xfe])])
  writeFileSync(odd, '', { mode: 0o755 })
  execFileSync('sh', ['-c', `setcap cap_kill=ep ${directory}/x/$(printf '\\377\\376')`])

  const before = descriptors()
  const found = [...findFileCapabilities(directory)].map((each) => {
    assert.ok('capabilities' in each)
    return `${each.path} ${formatFileCapabilities(each.capabilities)}`
  })
  // getcap hides nothing of names either; bytes that are no text become U+FFFD in ours.
  assert.deepEqual(
    found.toSorted(),
    getcap('-r', directory)
      .trimEnd()
      .split(/\n(?=\/)/)
      .toSorted(),
  )
  assert.equal(found.length, 7)
  assert.equal([...findFileCapabilities(outside)].length, 1)
  assert.throws(() => [...findFileCapabilities(join(directory, 'x/link'))], /it is a symbolic link/)
  assert.throws(() => [...findFileCapabilities(join(directory, 'none'))], /ENOENT/)

  const cleared = clearFileCapabilitiesBelow([directory])
  // Two of the names are one file, which had capabilities when it was found.
  assert.equal(cleared.length, 6)
  assert.equal(getcap('-r', directory), '')
  assert.equal(getcap(outside), `${outside} cap_chown=p\n`)
  assert.deepEqual(clearFileCapabilitiesBelow([directory]), [])
  assert.equal(descriptors(), before)
})

test('where the kernel has no getxattrat(2) the same is found', options, (t) => {
  const directory = temporary(t)
  mkdirSync(join(directory, 'below'))
  for (const name of ['a', 'below/b']) setFileCapabilities([program(directory, name)], capabilities('cap_kill=ep'))
  program(directory, 'none')
  symlinkSync('a', join(directory, 'link'))
  for (const [errnoRet, expected] of [
    [38, -38],
    [1, -1],
  ] as const) {
    const result = inChild(
      `
      const syscalls = [{ names: ['getxattrat'], action: 'SCMP_ACT_ERRNO', errnoRet: ${errnoRet} }]
      const { program, instructions } = linux.compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls })
      const filter = new DataView(new ArrayBuffer(16))
      filter.setUint16(0, instructions, true)
      filter.setBigUint64(8, linux.addressOf(program), true)
      linux.setNoNewPrivs()
      const set = linux.trySyscall('seccomp', linux.SECCOMP_SET_MODE_FILTER, 0, filter)
      const refused = linux.trySyscall('getxattrat', -100, '/', 0, 'user.x', new Uint8Array(16), 16)
      done([set, refused, [...linux.findFileCapabilities(${JSON.stringify(directory)})].map(({ path }) => path).sort()])
      `,
    )
    assert.deepEqual(result, [0, expected, [join(directory, 'a'), join(directory, 'below/b')]])
  }
})

test('mounts below are gone through only if asked for', options, (t) => {
  const directory = temporary(t)
  const counts = inChild(
    `
    import { execFileSync } from 'node:child_process'
    const directory = ${JSON.stringify(directory)}
    const kill = { permitted: 32n, inheritable: 0n, effective: true }
    const give = (path) => { fs.writeFileSync(path, '', { mode: 0o755 }); linux.setFileCapabilities([path], kill) }
    fs.mkdirSync(directory + '/tmpfs')
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory + '/tmpfs'])
    give(directory + '/tmpfs/program')
    fs.mkdirSync(directory + '/bind')
    execFileSync('mount', ['--bind', directory + '/tmpfs', directory + '/bind'])
    give(directory + '/program')
    const count = (options) => [...linux.findFileCapabilities(directory, options)].length
    done([count(), count({ otherFileSystems: true }), linux.clearFileCapabilitiesBelow([directory]).length, count({ otherFileSystems: true })])
    `,
    { through: ['unshare', '--mount'] },
  )
  assert.deepEqual(counts, [1, 3, 1, 2])
})

test('a directory that may not be read is told, and the rest is found; nothing is removed then', options, (t) => {
  const directory = temporary(t)
  chmodSync(directory, 0o755)
  mkdirSync(join(directory, 'closed'), { mode: 0o700 })
  setFileCapabilities([program(directory, 'a')], capabilities('cap_kill=ep'))
  const result = inChild(
    `
    const found = [...linux.findFileCapabilities(${JSON.stringify(directory)})]
    let message
    try { linux.clearFileCapabilitiesBelow([${JSON.stringify(directory)}]) } catch (error) { message = error.message }
    done([found.map((each) => each.error?.message ?? each.path).sort(), message])
    `,
    { through: asUser(65534) },
  )
  const [found, message] = result as [string[], string]
  assert.equal(found[0], `${directory}/a`)
  assert.match(found[1] ?? '', /^cannot read the capabilities of .*closed: EACCES/)
  assert.match(message, /^cannot read the capabilities of .*closed: EACCES/)
})

test('what is swapped for a link while it is gone through is not followed', options, (t) => {
  const directory = temporary(t)
  const other = temporary(t)
  mkdirSync(join(directory, 'a/b'), { recursive: true })
  mkdirSync(join(other, 'b'))
  setFileCapabilities([program(directory, 'a/first'), program(directory, 'a/b/mine')], capabilities('cap_kill=ep'))
  setFileCapabilities([program(other, 'b/theirs')], capabilities('cap_kill=ep'))
  const seen: string[] = []
  for (const { path } of findFileCapabilities(directory)) {
    seen.push(path)
    if (seen.length > 1) continue
    renameSync(join(directory, 'a'), join(directory, 'moved'))
    symlinkSync(other, join(directory, 'a'))
  }
  assert.equal(seen.length, 2)
  assert.ok(!seen.some((path) => path.endsWith('theirs')), seen.join())
})

test('a directory that is removed while it is gone through is left out', options, (t) => {
  const directory = temporary(t)
  mkdirSync(join(directory, 'a/b'), { recursive: true })
  const files = ['a/first', 'last'].map((name) => program(directory, name))
  setFileCapabilities(files, capabilities('cap_kill=ep'))
  const seen: string[] = []
  for (const found of findFileCapabilities(join(directory, 'a'))) {
    assert.ok('capabilities' in found)
    seen.push(found.path)
    rmSync(join(directory, 'a'), { recursive: true })
  }
  assert.deepEqual(seen, files.slice(0, 1))
})

test('in a user namespace its own root id is written, and others are out of sight', options, (t) => {
  const directory = temporary(t)
  chmodSync(directory, 0o777)
  const through = [...asUser(100000), 'unshare', '--user', '--map-root-user']
  const file = program(directory, 'other')
  setFileCapabilities([file], capabilities('cap_kill=ep', 5000))
  const result = inChild(
    `
    const own = ${JSON.stringify(join(directory, 'own'))}
    fs.writeFileSync(own, '', { mode: 0o755 })
    linux.setFileCapabilities([own], { permitted: 32n, inheritable: 0n, effective: true })
    let message
    try { linux.getFileCapabilities(${JSON.stringify(file)}) } catch (error) { message = error.message }
    const found = [...linux.findFileCapabilities(${JSON.stringify(directory)})].map(({ error }) => error?.code ?? 'found').sort()
    done([linux.getFileCapabilities(own).revision, message, found])
    `,
    { through },
  )
  const [revision, message, found] = result as [number, string, string[]]
  assert.equal(revision, 2)
  assert.match(message, /EOVERFLOW/)
  assert.deepEqual(found, ['EOVERFLOW', 'found'])
  assert.equal(getFileCapabilities(join(directory, 'own'))?.rootId, 100000)
})

test('the text form of a file is that of its three sets', () => {
  assert.equal(
    formatFileCapabilities({ permitted: 33n, inheritable: 1n, effective: true }),
    'cap_chown=eip cap_kill+ep',
  )
  assert.equal(formatCapabilityText(parseCapabilityText('cap_chown=eip cap_kill+ep')), 'cap_chown=eip cap_kill+ep')
})
