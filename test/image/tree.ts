// What the tests of archives and images share: a tree with all that files can have, and how two are compared.
import { execFileSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** A directory that root alone may enter, removed when all tests of the file are through. */
export const makeDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-image-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Runs a program of the host to its end. Its standard output. */
export const call = (program: string, ...args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** Why a test is skipped that needs these programs, and root for owners. For `test`'s option `skip`. */
export const lacks = (...programs: readonly string[]): string | false => {
  if (process.geteuid?.() !== 0) return 'needs root, to give files away'
  const missing = programs.filter(
    (name) => !['/usr/bin', '/bin', '/sbin', '/usr/sbin'].some((path) => existsSync(join(path, name))),
  )
  return missing.length === 0 ? false : `needs ${missing.join(', ')}`
}

/** A tree with files of every kind, and of all that they can have. */
export const makeTree = (path: string): string => {
  const at = (name: string): string => join(path, name)
  for (const name of ['', 'bin', 'etc', 'deep/er', 'shared', 'empty']) mkdirSync(at(name), { recursive: true })
  writeFileSync(at('etc/passwd'), 'root:x:0:0::/:/bin/sh\n')
  writeFileSync(at('bin/su'), 'set-user-id')
  writeFileSync(at('bin/ping'), 'capable')
  writeFileSync(at('bin/empty'), '')
  linkSync(at('bin/su'), at('bin/su2'))
  symlinkSync('../etc/passwd', at('deep/link'))
  symlinkSync('/absolute/'.padEnd(180, 'x'), at('deep/long-link'))
  writeFileSync(join(path, 'deep/er', 'n'.repeat(200)), 'long name')
  writeFileSync(at('deep/größe ✓'), 'name in UTF-8')
  writeFileSync(Buffer.from(`${path}/deep/\xff\xfe bytes`, 'latin1'), 'name in no encoding')
  writeFileSync(at('large'), Buffer.alloc(700_001, 'abcdefg'))
  call('truncate', '-s', '3M', at('sparse'))
  execFileSync('dd', ['if=/dev/zero', `of=${at('sparse')}`, 'bs=1', 'count=1', 'seek=2000000', 'conv=notrunc'], {
    stdio: 'ignore',
  })
  call('dd', `if=${at('large')}`, `of=${at('sparse')}`, 'bs=64k', 'count=1', 'seek=10', 'conv=notrunc', 'status=none')
  call('mkfifo', at('fifo'))
  call('chown', '-h', '1234:4321', at('deep/link'), at('bin/empty'), at('empty'))
  call('chown', '3000000:3000001', at('large'))
  call('chmod', '4755', at('bin/su'))
  call('chmod', '3770', at('shared'))
  call('chmod', '0', at('bin/empty'))
  call('chmod', '500', at('empty'))
  call('setcap', 'cap_net_raw+ep', at('bin/ping'))
  call('setfattr', '-n', 'user.note', '-v', 'kept', at('large'))
  call('setfattr', '-n', 'user.bytes', '-v', '0x00ff0a', at('deep'))
  call('setfacl', '-m', 'u:1234:rw', at('etc/passwd'))
  call('setfacl', '-d', '-m', 'g:4321:rwx', at('shared'))
  call('touch', '-h', '-d', '2001-02-03 04:05:06.123456789', at('deep/link'), at('large'), at('fifo'))
  call('touch', '-d', '1960-01-01', at('etc/passwd'))
  call('touch', '-d', '2010-10-10 10:10:10.5', at('deep'), at('empty'))
  return path
}

export const TREE_PROGRAMS = ['setcap', 'setfattr', 'setfacl', 'getfattr'] as const

/** All that is to be the same in a copy, in words. `but`: paths that are left out. */
export const describeTree = (path: string, but: readonly string[] = []): string => {
  const skip = but.flatMap((name) => ['!', '-path', name])
  const run = (line: string): string =>
    execFileSync('sh', ['-c', line, 'sh', ...skip], { cwd: path, encoding: 'latin1' })
  const kinds = run(
    `find . "$@" ! -type d -printf '%p %y %m %U:%G %s %T@ %n %l\\n' | sort; find . "$@" -type d -printf '%p %m %U:%G %T@\\n' | sort`,
  )
  const content = run('find . "$@" -type f -print0 | sort -z | xargs -0 sha256sum')
  const attributes = run('find . "$@" -print0 | sort -z | xargs -0 getfattr -h -d -m - -e hex')
  return `${kinds}\n${content}\n${attributes}`
}
