import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import { readMountinfo } from '../../src/linux/index.ts'
import { inChild, lacksProgram, lacksRoot } from './child.ts'

const lacksKernel = (version: string): string | undefined => {
  const [major = 0, minor = 0] = release().split('.').map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = version.split('.').map(Number)
  const is = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
  return is ? undefined : `needs Linux ${version}`
}

/** Runs code as {@link inChild} does, in a mount namespace of its own, with an empty directory `dir`. */
const inMounts = (t: TestContext, code: string): unknown => {
  const dir = mkdtempSync(join(tmpdir(), 'tare-mount-'))
  t.after(() => {
    assert.deepEqual(readdirSync(dir), [], 'nothing was written through a mount')
    const left = readMountinfo().filter(({ mountPoint }) => mountPoint.startsWith(dir))
    assert.deepEqual(left, [], 'no mount is left')
    rmSync(dir, { recursive: true })
  })
  return inChild(`
    linux.unshare(['mnt'])
    linux.mountSetattr({ path: '/' }, { propagation: 'private' }, { recursive: true })
    const dir = ${JSON.stringify(dir)}
    const at = (path) => linux.readMountinfo().findLast(({ mountPoint }) => mountPoint === path)
    const code = (call) => { try { call(); return 'done' } catch (error) { return error.code } }
    const message = (call) => { try { call(); return 'done' } catch (error) { return error.message } }
    const tmpfs = (...options) => {
      const context = linux.fsopen('tmpfs')
      for (const { key, value } of linux.parseMountOptions(options).data) {
        linux.fsconfig(context, value === undefined ? { kind: 'flag', key } : { kind: 'string', key, value })
      }
      linux.fsconfigCreate(context)
      return [context, linux.fsmount(context, linux.parseMountOptions(options).attributes.set)]
    }
    const attach = (fd, path, options) => {
      linux.moveMount({ dirfd: fd, path: '' }, { path }, options)
      fs.closeSync(fd)
    }
    ${code}
  `)
}

test('a file system is made, mounted, changed and unmounted by descriptor', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    const [context, fd] = tmpfs('nosuid', 'noexec', 'size=64k', 'mode=0750')
    const attached = at(dir) !== undefined
    linux.moveMount({ dirfd: fd, path: '' }, { path: dir })
    const first = at(dir)
    const mount = linux.mountOfFile({ path: dir })
    linux.mountSetattr({ dirfd: fd, path: '' }, { set: linux.MOUNT_ATTR_RDONLY, clear: linux.MOUNT_ATTR_NOEXEC })
    const second = at(dir)
    const readOnly = code(() => fs.mkdirSync(dir + '/sub'))
    linux.mountSetattr({ path: dir }, { clear: linux.MOUNT_ATTR_RDONLY, propagation: 'unbindable' })
    fs.mkdirSync(dir + '/sub')
    const third = at(dir)
    const copy = code(() => linux.openTree({ path: dir }, { clone: 'single' }))
    const picked = linux.fspick({ path: dir })
    linux.fsconfig(picked, { kind: 'flag', key: 'ro' })
    linux.fsconfig(picked, { kind: 'string', key: 'size', value: '128k' })
    linux.fsconfigReconfigure(picked)
    const fourth = at(dir)
    fs.closeSync(fd); fs.closeSync(context); fs.closeSync(picked)
    linux.umount(dir)
    done({ attached, id: first.id, statx: Number(mount.id), top: mount.isMountRoot, type: first.type,
      options: [first, second, third].map(({ options }) => options.join()), readOnly, copy,
      unbindable: [second.unbindable, third.unbindable],
      size: [first, fourth].map(({ superOptions }) => superOptions.filter((each) => /^(ro|rw|size.*|mode.*)$/.test(each)).join()),
      gone: at(dir) === undefined, again: message(() => linux.umount(dir)) })
  `,
  )
  assert.ok(typeof result === 'object' && result !== null && 'id' in result && 'again' in result)
  const { id, again, ...rest } = result
  assert.deepEqual(rest, {
    attached: false,
    statx: id,
    top: true,
    type: 'tmpfs',
    options: ['rw,nosuid,noexec,relatime', 'ro,nosuid,relatime', 'rw,nosuid,relatime'],
    readOnly: 'EROFS',
    copy: 'EINVAL',
    unbindable: [false, true],
    size: ['rw,size=64k,mode=750', 'ro,size=128k,mode=750'],
    gone: true,
  })
  assert.match(String(again), /^cannot unmount .*: EINVAL \(invalid argument\)\nIt is no mount/)
})

test('an error carries what the file system has to say', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    const context = linux.fsopen('tmpfs')
    const value = message(() => linux.fsconfig(context, { kind: 'string', key: 'size', value: 'large' }))
    const key = message(() => linux.fsconfig(context, { kind: 'flag', key: 'nonsense' }))
    const silent = code(() => linux.fsmount(context))
    const log = linux.readFsContextLog(context)
    done([value, key, silent, log, message(() => linux.fsopen('nonsensefs'))])
  `,
  )
  assert.deepEqual(result, [
    "cannot set the file system parameter size=large: EINVAL (invalid argument)\nThe file system says: tmpfs: Bad value for 'size'",
    "cannot set the file system parameter nonsense: EINVAL (invalid argument)\nThe file system says: tmpfs: Unknown parameter 'nonsense'",
    'EINVAL',
    [],
    `cannot begin a file system nonsensefs: ENODEV (no such device, or not supported by the kernel)\nThis kernel has no such file system, or its module is not loaded.`,
  ])
})

test('a tree is copied, alone or with what is mounted below, and changed as a whole', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    attach(tmpfs()[1], dir)
    for (const name of ['source', 'source/below', 'single', 'whole']) fs.mkdirSync(dir + '/' + name)
    attach(tmpfs()[1], dir + '/source')
    fs.mkdirSync(dir + '/source/below')
    attach(tmpfs()[1], dir + '/source/below')
    const single = linux.openTree({ path: dir + '/source' }, { clone: 'single' })
    const whole = linux.openTree({ path: dir + '/source' }, { clone: 'recursive' })
    const { recursive } = linux.parseMountOptions(['rro', 'rnoatime'])
    linux.mountSetattr({ dirfd: whole, path: '' }, recursive, { recursive: true })
    linux.moveMount({ dirfd: single, path: '' }, { path: dir + '/single' })
    linux.moveMount({ dirfd: whole, path: '' }, { path: dir + '/whole' })
    const options = (name) => at(dir + '/' + name)?.options.join() ?? 'none'
    done(['source', 'source/below', 'single', 'single/below', 'whole', 'whole/below'].map(options))
  `,
  )
  const [rw, ro] = ['rw,relatime', 'ro,noatime']
  assert.deepEqual(result, [rw, rw, rw, 'none', ro, ro])
})

test('propagation, a copied sharing group, and a mount below another', (t) => {
  const lack = lacksRoot() ?? lacksKernel('6.5')
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    attach(tmpfs('mode=0700')[1], dir)
    for (const name of ['a', 'b']) {
      fs.mkdirSync(dir + '/' + name)
      attach(tmpfs('mode=0711')[1], dir + '/' + name)
    }
    linux.mountSetattr({ path: dir + '/a' }, { propagation: 'shared' })
    const copy = linux.openTree({ path: dir + '/a' }, { clone: 'single' })
    fs.mkdirSync(dir + '/c')
    attach(copy, dir + '/c')
    linux.mountSetattr({ path: dir + '/c' }, { propagation: 'private' })
    const alone = at(dir + '/c').shared
    linux.moveMount({ path: dir + '/a' }, { path: dir + '/c' }, { how: 'set-group' })
    const grouped = at(dir + '/c').shared === at(dir + '/a').shared
    linux.mountSetattr({ path: dir + '/c' }, { propagation: 'slave' })
    const slave = at(dir + '/c').master === at(dir + '/a').shared
    attach(tmpfs('mode=0755')[1], dir + '/b', { how: 'beneath' })
    const mode = () => (fs.statSync(dir + '/b').mode & 0o777).toString(8)
    const above = mode()
    linux.umount(dir + '/b')
    done([alone ?? null, grouped, slave, above, mode()])
  `,
  )
  assert.deepEqual(result, [null, true, true, '711', '755'])
})

test('a mount shifts ids by the map of a user namespace', (t) => {
  const lack = lacksRoot() ?? lacksProgram('unshare') ?? lacksKernel('6.3')
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    const { spawn } = await import('node:child_process')
    const child = spawn('unshare', ['--user', 'sh', '-c', 'echo; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    const map = [{ inside: 0, outside: 100000, size: 1000 }]
    linux.checkIdMap(map)
    fs.writeFileSync('/proc/' + child.pid + '/uid_map', linux.formatIdMap(map))
    fs.writeFileSync('/proc/' + child.pid + '/gid_map', linux.formatIdMap(map))
    const read = linux.readIdMap(child.pid, 'gid')
    const usernsFd = linux.openNamespace(child.pid, 'user')
    const [, fd] = tmpfs()
    const copy = linux.openTree({ dirfd: fd, path: '' }, { clone: 'single' })
    linux.mountSetattr({ dirfd: copy, path: '' }, { usernsFd })
    attach(copy, dir)
    const { uid, gid } = fs.statSync(dir)
    child.kill('SIGKILL')
    linux.umount(dir)
    done([uid, gid, read])
  `,
  )
  assert.deepEqual(result, [100000, 100000, [{ inside: 0, outside: 100000, size: 1000 }]])
})

test('openat2 keeps a path within its root', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    attach(tmpfs()[1], dir)
    fs.mkdirSync(dir + '/etc')
    fs.writeFileSync(dir + '/etc/passwd', 'inside')
    fs.symlinkSync('/etc/passwd', dir + '/link')
    fs.symlinkSync('../../../../../../etc/passwd', dir + '/up')
    const root = linux.openat2(dir, { flags: linux.O_PATH | linux.O_DIRECTORY })
    const read = (path, resolve) => {
      const fd = linux.openat2(path, { flags: linux.O_RDONLY, resolve }, root)
      try { return fs.readFileSync(fd, 'utf8') } finally { fs.closeSync(fd) }
    }
    const inRoot = ['/etc/passwd', 'link', 'up', '../../etc/passwd'].map((path) => read(path, linux.RESOLVE_IN_ROOT))
    const escapes = ['/etc/passwd', 'link', 'up'].map((path) => code(() => read(path, linux.RESOLVE_BENEATH)))
    const links = code(() => read('link', linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_IN_ROOT))
    const made = linux.openat2('new', { flags: linux.O_CREAT | linux.O_EXCL | linux.O_WRONLY, mode: 0o640 }, root)
    const closes = /flags:\\t0?2[0-9]{6}$/m.test(fs.readFileSync('/proc/self/fdinfo/' + made, 'utf8'))
    done([inRoot, escapes, links, (fs.fstatSync(made).mode & 0o777).toString(8), closes,
      message(() => linux.openat2('none', { flags: 0 }, root))])
  `,
  )
  const missing = 'cannot open none: ENOENT (no such file or directory)'
  assert.deepEqual(result, [Array(4).fill('inside'), Array(3).fill('EXDEV'), 'ELOOP', '640', true, missing])
})

test('a mount becomes the root, and the old one goes', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    attach(tmpfs()[1], dir)
    fs.writeFileSync(dir + '/here', '')
    process.chdir(dir)
    linux.pivotRoot('.', '.')
    linux.umount('.', { detach: true })
    process.chdir('/')
    const names = fs.readdirSync('/')
    done([names, message(() => linux.pivotRoot('/', '/'))])
  `,
  )
  assert.ok(Array.isArray(result))
  assert.deepEqual(result[0], ['here'])
  assert.match(String(result[1]), /^cannot make the root \/: EBUSY .*\nThe new root, or the place/)
})

test('the older mount(2) binds', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inMounts(
    t,
    `
    linux.mount('none', dir, 'tmpfs', linux.MS_NOSUID | linux.MS_NODEV, 'size=4k')
    fs.mkdirSync(dir + '/sub')
    linux.mount(dir, dir + '/sub', null, linux.MS_BIND | linux.MS_REC)
    done([at(dir).options.join(), at(dir + '/sub').root, message(() => linux.mount('none', '/nowhere', 'tmpfs', 0))])
  `,
  )
  assert.ok(Array.isArray(result))
  assert.deepEqual(result.slice(0, 2), ['rw,nosuid,nodev,relatime', '/'])
  assert.match(String(result[2]), /^cannot mount none at \/nowhere: ENOENT [^\n]*$/)
})

test('an ordinary user is told what a mount takes', (t) => {
  const lack = lacksRoot() ?? lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  const through = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
  const code = `try { linux.umount('/proc') } catch (error) { done(error.message) }`
  assert.match(String(inChild(code, { through })), /^cannot unmount \/proc: EPERM/)
  const bind = `try { linux.openTree({ path: '/' }, { clone: 'single' }) } catch (error) { done(error.message) }`
  assert.match(String(inChild(bind, { through })), /^cannot copy the mount at \/: EPERM .*\nIt takes CAP_SYS_ADMIN/)
})
