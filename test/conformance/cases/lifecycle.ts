import assert from 'node:assert/strict'
import { readlinkSync } from 'node:fs'
import type { Case } from '../case.ts'
import { lives } from '../case.ts'
import type { Config } from '../config.ts'
import { refuses } from '../expect.ts'

const STATE = 'runtime.md, Query State'
const CREATE = 'runtime.md, Create'
const START = 'runtime.md, Start'
const KILL = 'runtime.md, Kill'
const DELETE = 'runtime.md, Delete'

const args = (...words: readonly string[]): Config => ({ process: { args: words } })

/** Says that it is up, and each time that it gets SIGUSR1. */
const SIGNALLED = 'trap "echo signalled > /srv/got" USR1; echo up > /srv/up; while true; do sleep 0.05; done'

/** As docs/oci.md has it. */
const REFUSED = 'it isn’t even created'

const NONE = 'conformance-none-of-that-name'

export const lifecycleCases: readonly Case[] = [
  lives(STATE, 'without an id it is an error', {}, (container) => void container.mustNot('state')),
  lives(STATE, 'a container that there isn’t is an error', {}, (container) => void container.mustNot('state', NONE)),
  lives(STATE, 'a container is created, then running, then stopped', args('sleep', '60'), async (container) => {
    container.create()
    assert.equal(container.state()?.['status'], 'created')
    container.must('start', container.id)
    assert.equal(container.state()?.['status'], 'running')
    container.must('kill', container.id, 'KILL')
    await container.until('stopped')
  }),
  lives(
    STATE,
    'it says the version, the id, the bundle, the process and the annotations',
    { ...args('sleep', '60'), annotations: { 'org.example.key': 'value' } },
    (container) => {
      container.create()
      const state = container.state() ?? {}
      assert.match(String(state['ociVersion']), /^1\.\d+\.\d+/)
      assert.deepEqual([state['id'], state['bundle']], [container.id, container.bundle])
      assert.equal(JSON.stringify(state['annotations']).includes('"org.example.key":"value"'), true)
      assert.notEqual(readlinkSync(`/proc/${String(state['pid'])}/ns/uts`), readlinkSync('/proc/self/ns/uts'))
    },
  ),
  lives(CREATE, 'without an id it is an error', {}, (container) => {
    container.mustNot('create', '--bundle', container.bundle)
  }),
  lives(CREATE, 'without a bundle it is an error', {}, (container) => void container.mustNot('create', container.id)),
  lives(CREATE, 'a bundle that there isn’t is an error', {}, (container) => {
    container.mustNot('create', '--bundle', container.path('nowhere'), container.id)
    assert.equal(container.state(), undefined)
  }),
  lives(CREATE, 'an id that is taken is an error, and changes nothing', args('sleep', '60'), (container) => {
    container.create()
    const before = container.state()
    container.mustNot('create', '--bundle', container.bundle, container.id)
    assert.deepEqual(container.state(), before)
  }),
  lives(CREATE, 'an id that leads out of where states are is an error', {}, (container) => {
    container.mustNot('create', '--bundle', container.bundle, '../escape')
  }),
  lives(CREATE, 'the program isn’t run', args('sh', '-c', 'echo ran > /srv/ran'), async (container) => {
    container.create()
    assert.equal(container.read('rootfs/srv/ran'), '')
    container.must('start', container.id)
    await container.until('stopped')
    assert.equal(container.read('rootfs/srv/ran'), 'ran\n')
  }),
  lives(CREATE, 'what is changed in config.json later has no effect', args('echo', 'before'), async (container) => {
    const output = container.create()
    container.configure({ ...container.config, process: { cwd: '/', args: ['echo', 'after'] } })
    container.must('start', container.id)
    await container.until('stopped')
    assert.equal(output(), 'before\n')
  }),
  refuses(CREATE, 'a property that can’t be applied is an error', {
    mounts: [{ destination: '/mnt', source: '/nonesuch/source', type: 'none', options: ['bind'] }],
  }),
  refuses(CREATE, 'what isn’t JSON is an error', {}, { prepare: (container) => container.write('config.json', '{') }),
  lives(START, 'without an id it is an error', {}, (container) => void container.mustNot('start')),
  lives(START, 'a container that there isn’t is an error', {}, (container) => void container.mustNot('start', NONE)),
  lives(START, 'one that runs is an error, and goes on running', args('sleep', '60'), (container) => {
    container.create()
    container.must('start', container.id)
    const before = container.state()
    container.mustNot('start', container.id)
    assert.deepEqual(container.state(), before)
  }),
  lives(START, 'one that is stopped is an error', args('true'), async (container) => {
    container.create()
    container.must('start', container.id)
    await container.until('stopped')
    container.mustNot('start', container.id)
    assert.equal(container.state()?.['status'], 'stopped')
  }),
  lives(
    START,
    'one without a process is an error',
    { process: undefined },
    (container) => {
      container.create()
      container.mustNot('start', container.id)
    },
    { differs: { runc: REFUSED, crun: REFUSED } },
  ),
  lives(KILL, 'without an id it is an error', {}, (container) => void container.mustNot('kill')),
  lives(
    KILL,
    'a container that there isn’t is an error',
    {},
    (container) => void container.mustNot('kill', NONE, 'KILL'),
  ),
  ...['USR1', 'SIGUSR1', '10'].map((signal) =>
    lives(KILL, `the process gets the signal: ${signal}`, args('sh', '-c', SIGNALLED), async (container) => {
      container.create()
      container.must('start', container.id)
      await container.untilSays('rootfs/srv/up', 'up')
      container.must('kill', container.id, signal)
      await container.untilSays('rootfs/srv/got', 'signalled')
    }),
  ),
  lives(
    KILL,
    'without a signal SIGTERM is meant',
    args('sh', '-c', 'trap "exit 3" TERM; echo up > /srv/up; while true; do sleep 0.05; done'),
    async (container) => {
      container.create()
      container.must('start', container.id)
      await container.untilSays('rootfs/srv/up', 'up')
      container.must('kill', container.id)
      await container.until('stopped')
    },
  ),
  lives(KILL, 'one that is created can be killed', args('sleep', '60'), async (container) => {
    container.create()
    container.must('kill', container.id, 'KILL')
    await container.until('stopped')
  }),
  lives(KILL, 'one that is stopped is an error', args('true'), async (container) => {
    container.create()
    container.must('start', container.id)
    await container.until('stopped')
    container.mustNot('kill', container.id, 'KILL')
  }),
  lives(DELETE, 'without an id it is an error', {}, (container) => void container.mustNot('delete')),
  lives(DELETE, 'a container that there isn’t is an error', {}, (container) => void container.mustNot('delete', NONE)),
  lives(DELETE, 'one that runs is an error, and goes on running', args('sleep', '60'), (container) => {
    container.create()
    container.must('start', container.id)
    container.mustNot('delete', container.id)
    assert.equal(container.state()?.['status'], 'running')
  }),
  lives(
    DELETE,
    'one that is created and not stopped is an error',
    args('sleep', '60'),
    (container) => {
      container.create()
      container.mustNot('delete', container.id)
      assert.equal(container.state()?.['status'], 'created')
    },
    { differs: { runc: 'runc kills it', crun: 'crun kills it' } },
  ),
  lives(DELETE, 'nothing of it is left, and its id can be used again', args('echo', 'ran'), async (container) => {
    for (let round = 0; round < 2; round++) {
      const output = container.create()
      container.must('start', container.id)
      await container.until('stopped')
      assert.equal(output(), 'ran\n')
      container.must('delete', container.id)
      assert.equal(container.state(), undefined)
      assert.deepEqual(container.leftovers(), [])
    }
  }),
]
