import assert from 'node:assert/strict'
import { test } from 'node:test'

import { inChild, lacksProgram, lacksRoot } from './child.ts'

/** The id of the one child that was there before Node was. */
const STARTED = `
  const pidOf = () => Number(fs.readFileSync('/proc/thread-self/children', 'ascii').trim())
`

test('a child that another program left to us is waited for by pidfd, with its usage', async (t) => {
  const lack = lacksProgram('sh')
  if (lack !== undefined) return t.skip(lack)
  // The shell leaves a child behind and becomes Node: whose child it then is, without Node's knowing.
  const through = ['sh', '-c', 'sleep 1000 >/dev/null 2>&1 & exec "$@"', '-']
  const result = inChild(
    `
    ${STARTED}
    const pid = pidOf()
    linux.sendPidfdSignal(linux.openPidfd(pid), 19)
    const stopped = linux.waitid({ pid }, { noHang: false, stopped: true })
    const running = linux.waitid({ pid })
    done([stopped.pid === pid, stopped.uid === process.getuid(), stopped.status, running === undefined])
    linux.sendPidfdSignal(linux.openPidfd(pid), 9)
  `,
    { through },
  )
  assert.deepEqual(result, [true, true, { kind: 'stopped', signal: 19 }, true])
})

test('exit, signal and usage of children', (t) => {
  const lack = lacksProgram('sh')
  if (lack !== undefined) return t.skip(lack)
  const wait = (script: string): readonly unknown[] => {
    const result = inChild(
      `
      ${STARTED}
      const pidfd = linux.openPidfd(pidOf())
      await linux.whenEnded(pidfd)
      const seen = linux.waitid({ pidfd }, { noWait: true })
      const { status, usage } = linux.waitid({ pidfd })
      let again
      try { linux.waitid({ pidfd }) } catch (error) { again = error.code }
      done([usage.userTime + usage.systemTime, usage.maxResident, status, linux.exitCodeOf(status), seen.status.kind, again])
    `,
      { through: ['sh', '-c', `(${script}) & exec "$@"`, '-'] },
    )
    return Array.isArray(result) ? result : []
  }
  const [quietTime, quietMemory, ...exited] = wait('exit 7')
  assert.deepEqual(exited, [{ kind: 'exited', code: 7 }, 7, 'exited', 'ECHILD'])
  // A shell needs some hundred KiB, whatever the unit is taken for.
  assert.ok(Number(quietMemory) > 200_000 && Number(quietMemory) < 100_000_000, `${quietMemory} bytes`)

  const [busyTime, , ...ended] = wait('i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done')
  assert.deepEqual(ended, [{ kind: 'exited', code: 0 }, 0, 'exited', 'ECHILD'])
  assert.ok(Number(busyTime) > 2 * Number(quietTime) && Number(busyTime) > 20_000, `${quietTime}, ${busyTime} µs`)

  const [, , ...killed] = wait('exec sh -c "kill -TERM \\$\\$"')
  assert.deepEqual(killed, [{ kind: 'killed', signal: 15, coreDumped: false }, 143, 'killed', 'ECHILD'])
})

test('a descriptor of another process is duplicated', () => {
  const result = inChild(`
    const pidfd = linux.openPidfd(process.pid)
    const file = fs.openSync('/proc/version', 'r')
    const copy = linux.duplicateDescriptor(pidfd, file)
    let bad
    try { linux.duplicateDescriptor(pidfd, 999999) } catch (error) { bad = error.code }
    done([copy !== file, fs.fstatSync(copy).ino === fs.fstatSync(file).ino, bad])
  `)
  assert.deepEqual(result, [true, true, 'EBADF'])
})

test('limits of this and of another process are set', () => {
  const result = inChild(`
    const { hard } = linux.getRlimit('RLIMIT_NOFILE')
    const old = linux.setRlimit('RLIMIT_NOFILE', { soft: 100n, hard })
    const own = linux.getRlimit('RLIMIT_NOFILE', process.pid)
    linux.setRlimit('RLIMIT_CORE', { soft: 0n, hard: 0n }, process.pid)
    const codes = []
    for (const call of [
      () => linux.setRlimit('RLIMIT_CORE', { soft: 2n, hard: 1n }),
      () => linux.getRlimit('RLIMIT_CORE', 4194305),
    ]) try { call() } catch (error) { codes.push(error.code) }
    done([old.hard === hard, own.soft, own.hard === hard, linux.getRlimit('RLIMIT_CORE'), codes])
  `)
  assert.deepEqual(result, [true, '100', true, { soft: '0', hard: '0' }, ['EINVAL', 'ESRCH']])
})

test('without CAP_SYS_RESOURCE a hard limit is not raised, and the error says so', () => {
  const message = inChild(`
    const { permitted, inheritable } = linux.getThreadCapabilities()
    const kept = permitted & ~linux.capabilitySet(['CAP_SYS_RESOURCE'])
    linux.setThreadCapabilities({ permitted: kept, effective: kept, inheritable: inheritable & kept })
    linux.setRlimit('RLIMIT_CORE', { soft: 0n, hard: 0n })
    try { linux.setRlimit('RLIMIT_CORE', { soft: 0n, hard: 1n }) } catch (error) { done(error.message) }
  `)
  assert.match(String(message), /^cannot set RLIMIT_CORE of this process: EPERM .*\nRaising a hard limit/)
})

test('the personality is handed down', (t) => {
  const lack = lacksProgram('cat')
  if (lack !== undefined) return t.skip(lack)
  const result = inChild(`
    const { execFileSync } = await import('node:child_process')
    linux.setPersonality({ domain: 'LINUX32', flags: ['ADDR_NO_RANDOMIZE'] })
    const child = execFileSync('cat', ['/proc/self/personality'], { encoding: 'utf8' }).trim()
    done([linux.getPersonality(), linux.decodePersonality(Number('0x' + child))])
  `)
  const expected = { domain: 'LINUX32', flags: ['ADDR_NO_RANDOMIZE'] }
  assert.deepEqual(result, [expected, expected])
})

test('a session keyring of our own holds keys that others do not see', (t) => {
  const result = inChild(`
    try {
      const session = linux.joinSessionKeyring()
      const before = linux.describeKey(session)
      linux.setKeyPermissions('session', { possessor: linux.KEY_ALL, user: linux.KEY_VIEW })
      const after = linux.describeKey('session')
      const payload = Buffer.alloc(1000, 'x')
      const key = linux.addUserKey('tare-test', payload, 'session')
      const found = linux.searchUserKey('session', 'tare-test') === key
      const read = Buffer.compare(linux.readKey(key), payload)
      const listed = new Int32Array(linux.readKey(session).slice().buffer)[0] === key
      const id = linux.keyringId('session') === session
      const again = linux.addUserKey('tare-test', Buffer.from('y'), session) === key
      const replaced = Buffer.from(linux.readKey(key)).toString()
      linux.unlinkKey(key, session)
      const gone = linux.searchUserKey('session', 'tare-test') === undefined
      const named = linux.joinSessionKeyring('tare-named')
      linux.revokeKey(named)
      let revoked
      try { linux.describeKey(named); linux.addUserKey('a', payload, named) } catch (error) { revoked = error.code }
      done([before.type, before.description, after.permissions.toString(16), after.uid === process.getuid(), found, read, listed, id, again, replaced, gone, revoked, linux.keyringId('thread') ?? null])
    } catch (error) { done(error.code) }
  `)
  if (result === 'ENOSYS') return t.skip('needs a kernel with keyrings')
  const rest = [true, true, 0, true, true, true, 'y', true, 'EKEYREVOKED', null]
  assert.deepEqual(result, ['keyring', '_ses', '3f010000', ...rest])
})

test('a terminal becomes the controlling one of a session', (t) => {
  const lack = lacksProgram('setsid')
  if (lack !== undefined) return t.skip(lack)
  const code = `
    const { fd, number } = linux.openPty()
    const peer = linux.openPtyPeer(fd)
    try {
      linux.setControllingTerminal(peer)
      done([fs.readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[4] === String(136 * 256 + number)])
    } catch (error) { done(error.message) }
  `
  assert.deepEqual(inChild(code, { through: ['setsid', '-w'] }), [true])
  assert.match(
    String(inChild(code)),
    /^cannot take as controlling terminal descriptor [0-9]+: EPERM .*\nThe process must lead/,
  )
})

test('signals that may not be sent say so', (t) => {
  const lack = lacksRoot() ?? lacksProgram('setpriv')
  if (lack !== undefined) return t.skip(lack)
  const through = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups']
  const code = `try { linux.sendPidfdSignal(linux.openPidfd(1), 15) } catch (error) { done(error.message) }`
  assert.match(
    String(inChild(code, { through })),
    /^cannot send SIGTERM to the process of pidfd [0-9]+: EPERM .*\nIt belongs to another user/,
  )
})
