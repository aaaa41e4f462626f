import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capabilityNames, capabilitySet } from '../linux/capability.ts'
import {
  DEFAULT_CAPABILITIES,
  resolveCapabilities,
  resolveEnv,
  resolveRlimits,
  resolveSeccomp,
} from './resolve-process.ts'

const root = { name: 'root', uid: 0, gid: 0, groups: [], home: '/root' }
const user = { name: 'user', uid: 1000, gid: 1000, groups: [], home: '/home' }
const names = (mask: bigint): readonly string[] => capabilityNames(mask)

test('root has the default capabilities, with what is added and without what is dropped', () => {
  const plain = resolveCapabilities({}, root)
  assert.deepEqual(names(plain.effective).toSorted(), DEFAULT_CAPABILITIES.toSorted())
  const changed = resolveCapabilities({ capAdd: ['net_raw'], capDrop: ['CAP_KILL'] }, root)
  assert.ok(names(changed.bounding).includes('CAP_NET_RAW'))
  assert.ok(!names(changed.bounding).includes('CAP_KILL'))
})

test('ALL stands for all, and a name beside it wins', () => {
  assert.equal(resolveCapabilities({ capDrop: ['all'] }, root).bounding, 0n)
  assert.equal(resolveCapabilities({ capDrop: ['ALL'], capAdd: ['CHOWN'] }, root).bounding, capabilitySet(['CHOWN']))
  const most = resolveCapabilities({ capAdd: ['ALL'], capDrop: ['SYS_ADMIN'] }, root).bounding
  assert.equal(names(most).length, 40)
})

test('another user has none but those added by name, which are ambient', () => {
  assert.equal(resolveCapabilities({}, user).permitted, 0n)
  assert.notEqual(resolveCapabilities({}, user).bounding, 0n)
  const added = resolveCapabilities({ capAdd: ['NET_BIND_SERVICE'] }, user)
  assert.deepEqual(names(added.ambient), ['CAP_NET_BIND_SERVICE'])
  assert.equal(added.permitted, added.ambient)
})

test('an unknown capability is refused with the one that was meant', () => {
  assert.throws(() => resolveCapabilities({ capAdd: ['NET_ADMN'] }, root), { code: 'ERR_TARE_INPUT' })
})

test('nothing of this environment goes in', () => {
  process.env['TARE_TEST_SECRET'] = 'x'
  const env = resolveEnv({ A: '1', PATH: '/bin', GONE: undefined }, root, { hostname: 'box', tty: false })
  assert.deepEqual(env.toSorted(), ['A=1', 'HOME=/root', 'HOSTNAME=box', 'PATH=/bin'])
  assert.throws(() => resolveEnv({ 'A=B': '1' }, root, { tty: false }), { code: 'ERR_TARE_INPUT' })
})

test('limits are named as docker names them', () => {
  assert.deepEqual(resolveRlimits({ nofile: [10, 20], core: 0, nproc: 'unlimited' }), [
    { resource: 7, name: 'nofile', soft: 10n, hard: 20n },
    { resource: 4, name: 'core', soft: 0n, hard: 0n },
    { resource: 6, name: 'nproc', soft: 0xffff_ffff_ffff_ffffn, hard: 0xffff_ffff_ffff_ffffn },
  ])
  assert.throws(() => resolveRlimits({ nofil: 1 }), { code: 'ERR_TARE_INPUT' })
})

test('a filter is the default, none, or the given one', () => {
  assert.equal(resolveSeccomp('unconfined', 0n), undefined)
  assert.ok((resolveSeccomp(undefined, 0n)?.program.length ?? 0) > 800)
  const own = resolveSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' }, 0n)
  assert.ok((own?.program.length ?? 0) > 0)
  const notify = {
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: '/run/listener',
    syscalls: [{ names: ['getpid'], action: 'SCMP_ACT_NOTIFY' }],
  } as const
  assert.throws(() => resolveSeccomp(notify, 0n), /needs a listener/)
})
