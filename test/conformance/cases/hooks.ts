import assert from 'node:assert/strict'
import { readlinkSync } from 'node:fs'
import type { Case } from '../case.ts'
import { lives } from '../case.ts'
import type { Config } from '../config.ts'
import type { Container } from '../container.ts'
import { refuses } from '../expect.ts'

const HOOKS = 'config.md, POSIX-platform Hooks'
const LIFE = 'runtime.md, Lifecycle'

/** Notes its name, the state that it is given, and its namespaces, in the directory that is its second word. */
const NOTE = `#!/bin/sh
cat > "$2/state-$1"
readlink /proc/self/ns/net > "$2/net-$1"
readlink /proc/self/ns/uts > "$2/uts-$1"
echo "$1" >> "$2/order"
`

const FAIL = '#!/bin/sh\nexit 3\n'

const write = (container: Container): void => {
  for (const [name, text] of [
    ['note', NOTE],
    ['fail', FAIL],
  ] as const) {
    container.write(name, text, 0o755)
    container.write(`rootfs/${name}`, text, 0o755)
  }
}

const HOST = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const

type Name = (typeof HOST)[number] | 'startContainer'

/** A hook that notes; that of startContainer is found, and notes, in the container. */
const note = (bundle: string, name: Name, as: string = name): Config => ({
  path: name === 'startContainer' ? '/note' : `${bundle}/note`,
  args: ['note', as, name === 'startContainer' ? '/srv' : bundle],
  env: ['PATH=/bin:/usr/bin'],
})

const fail = (bundle: string, name: Name): Config => ({
  path: name === 'startContainer' ? '/fail' : `${bundle}/fail`,
})

const noting = (bundle: string): Config => ({
  hooks: Object.fromEntries([...HOST, 'startContainer' as const].map((name) => [name, [note(bundle, name)]])),
  process: { args: ['sh', '-c', 'readlink /proc/self/ns/net; readlink /proc/self/ns/uts; echo program >> /srv/order'] },
})

const order = (container: Container): readonly string[] => container.read('order').trimEnd().split('\n')

/** The whole life of a container that stops by itself. */
const live = async (container: Container): Promise<string> => {
  const output = container.create()
  container.must('start', container.id)
  await container.until('stopped')
  container.must('delete', container.id)
  return output()
}

const failing = (name: 'prestart' | 'createRuntime' | 'createContainer'): Case =>
  lives(
    LIFE,
    `where a hook fails, ${name}, create does, the container goes, and the hooks of poststop run`,
    (bundle) => ({ hooks: { [name]: [fail(bundle, name)], poststop: [note(bundle, 'poststop')] } }),
    (container) => {
      container.mustNot('create', '--bundle', container.bundle, container.id)
      assert.equal(container.state(), undefined)
      assert.deepEqual(container.leftovers(), [])
      assert.deepEqual(order(container), ['poststop'])
    },
    { prepare: write, differs: { crun: 'crun 1.8 runs no poststop hook then' } },
  )

const inside = (name: Name, file: (what: string) => string): Case =>
  lives(
    HOOKS,
    `${name} runs in the namespaces of the container`,
    noting,
    async (container) => {
      const [net = '', uts = ''] = (await live(container)).split('\n')
      assert.notEqual(net, readlinkSync('/proc/self/ns/net'))
      assert.equal(container.read(file('net')).trim(), net)
      assert.equal(container.read(file('uts')).trim(), uts)
    },
    { prepare: write },
  )

export const hookCases: readonly Case[] = [
  lives(
    LIFE,
    'hooks run at their moments, in their order',
    noting,
    async (container) => {
      container.create()
      assert.deepEqual(order(container), ['prestart', 'createRuntime', 'createContainer'])
      assert.equal(container.read('rootfs/srv/order'), '')
      container.must('start', container.id)
      await container.until('stopped')
      assert.equal(container.read('rootfs/srv/order'), 'startContainer\nprogram\n')
      assert.deepEqual(order(container).slice(3), ['poststart'])
      container.must('delete', container.id)
      assert.deepEqual(order(container).slice(4), ['poststop'])
    },
    { prepare: write, differs: { runc: 'runc runs the hooks of poststart when it creates' } },
  ),
  ...HOST.map((name) =>
    lives(
      HOOKS,
      `hooks of one moment run in the order of the list: ${name}`,
      (bundle) => ({ hooks: { [name]: ['one', 'two', 'three'].map((as) => note(bundle, name, as)) } }),
      async (container) => {
        await live(container)
        assert.deepEqual(order(container), ['one', 'two', 'three'])
      },
      { prepare: write },
    ),
  ),
  lives(
    HOOKS,
    'they read the state of the container',
    (bundle) => ({ ...noting(bundle), annotations: { 'org.example.key': 'value' } }),
    async (container) => {
      await live(container)
      for (const name of HOST) {
        const state = JSON.parse(container.read(`state-${name}`))
        assert.deepEqual([state.id, state.bundle], [container.id, container.bundle], name)
        assert.equal(state.annotations['org.example.key'], 'value', name)
        assert.match(state.ociVersion, /^1\./)
      }
      const { pid } = JSON.parse(container.read('state-createRuntime'))
      assert.ok(Number(pid) > 0)
      assert.equal(JSON.parse(container.read('rootfs/srv/state-startContainer')).id, container.id)
    },
    { prepare: write },
  ),
  ...(['prestart', 'createRuntime', 'poststart', 'poststop'] as const).map((name) =>
    lives(
      HOOKS,
      `${name} runs in the namespaces of the runtime`,
      noting,
      async (container) => {
        await live(container)
        assert.equal(container.read(`net-${name}`).trim(), readlinkSync('/proc/self/ns/net'))
        assert.equal(container.read(`uts-${name}`).trim(), readlinkSync('/proc/self/ns/uts'))
      },
      { prepare: write },
    ),
  ),
  inside('createContainer', (what) => `${what}-createContainer`),
  inside('startContainer', (what) => `rootfs/srv/${what}-startContainer`),
  lives(
    HOOKS,
    'args and env are all that a hook is given',
    (bundle) => ({
      hooks: {
        createRuntime: [
          {
            path: '/bin/sh',
            args: [
              'called-so',
              '-c',
              `echo "$0 $1" > ${bundle}/args; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | sort > ${bundle}/env`,
              'zero',
              'one',
            ],
            env: ['B=2', 'PATH=/bin:/usr/bin'],
          },
        ],
      },
    }),
    async (container) => {
      await live(container)
      assert.equal(container.read('args'), 'zero one\n')
      assert.equal(container.read('env'), 'B=2\nPATH=/bin:/usr/bin\n')
    },
  ),
  ...(['prestart', 'createRuntime', 'createContainer'] as const).map(failing),
  lives(
    LIFE,
    'where a hook fails, startContainer, the program isn’t run',
    (bundle) => ({
      hooks: { startContainer: [fail(bundle, 'startContainer')] },
      process: { args: ['sh', '-c', 'echo ran > /srv/ran'] },
    }),
    async (container) => {
      container.create()
      container.verb('start', container.id)
      await container.until('stopped')
      assert.equal(container.read('rootfs/srv/ran'), '')
    },
    { prepare: write },
  ),
  lives(
    LIFE,
    'where a hook fails, poststart, the container is stopped',
    (bundle) => ({ hooks: { poststart: [fail(bundle, 'poststart')] }, process: { args: ['sleep', '60'] } }),
    async (container) => {
      container.create()
      container.mustNot('start', container.id)
      for (let tries = 0; tries < 100 && container.state()?.['status'] === 'running'; tries++) container.state()
      assert.notEqual(container.state()?.['status'] ?? 'gone', 'running')
    },
    {
      prepare: write,
      differs: { runc: 'runc runs the hooks of poststart when it creates', crun: 'crun passes it over' },
    },
  ),
  lives(
    LIFE,
    'where a hook fails, poststop, the rest goes on',
    (bundle) => ({ hooks: { poststop: [fail(bundle, 'poststop'), note(bundle, 'poststop')] } }),
    async (container) => {
      await live(container)
      assert.deepEqual(order(container), ['poststop'])
      assert.equal(container.state(), undefined)
    },
    {
      prepare: write,
      differs: { runc: 'runc leaves the others out', crun: 'crun may die of SIGPIPE where a hook doesn’t read' },
    },
  ),
  lives(
    HOOKS,
    'a hook that takes longer than its timeout is ended',
    { hooks: { createRuntime: [{ path: '/bin/sleep', args: ['sleep', '60'], timeout: 1 }] } },
    (container) => {
      const begin = performance.now()
      container.mustNot('create', '--bundle', container.bundle, container.id)
      assert.ok(performance.now() - begin < 15_000)
    },
  ),
  refuses(
    HOOKS,
    'a path that isn’t absolute is an error',
    { hooks: { createRuntime: [{ path: 'true' }] } },
    { differs: { crun: 'crun takes it' } },
  ),
  refuses(HOOKS, 'a path that isn’t there is an error', { hooks: { createRuntime: [{ path: '/nonesuch/hook' }] } }),
  refuses(
    HOOKS,
    'a timeout of 0 is an error',
    { hooks: { createRuntime: [{ path: '/bin/true', timeout: 0 }] } },
    { differs: { crun: 'crun takes it' } },
  ),
]
