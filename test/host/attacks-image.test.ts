import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import type { RunOptions } from '../../src/engine/options.ts'
import { run } from '../../src/engine/run.ts'
import { isRoot } from './contained.ts'
import { expectNothingLeft } from './leaks.ts'
import { ATTACK, attackMount, buildAttack } from './leaks-attack.ts'

const { nothingLeft, scratch } = await expectNothingLeft()
const attack = buildAttack(scratch())
const skip = attack.lack ?? false

/** The containers that an ordinary user, and root, make. */
const EACH: readonly RunOptions[] = isRoot ? [{}, { userns: 'host' }] : [{}]

/** A hostile image, and beside it what it must not reach. */
interface Image {
  readonly rootfs: string
  readonly outside: string
}

/** A root file system with a program and these links, `OUTSIDE` in them being the directory beside it. */
const makeImage = (links: Readonly<Record<string, string>>): Image => {
  const base = scratch()
  const [rootfs, outside] = [join(base, 'rootfs'), join(base, 'outside')]
  for (const path of [rootfs, outside, join(rootfs, 'etc'), join(outside, 'sys'), join(outside, 'pts')]) mkdirSync(path)
  copyFileSync(attack.program, join(rootfs, 'program'))
  for (const name of ['null', 'console', 'sys/kernel', 'file', 'ip_forward'])
    writeFileSync(join(outside, name.replace('/', '-')), 'as it was')
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(join(rootfs, path, '..'), { recursive: true })
    symlinkSync(target.replace('OUTSIDE', outside), join(rootfs, path))
  }
  return { rootfs, outside }
}

/** All that lies below a directory, with its content. */
const contentOf = (directory: string): readonly string[] =>
  readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return [`${path}/`, ...contentOf(path)]
      return entry.isSymbolicLink()
        ? [`${path} -> ${readlinkSync(path)}`]
        : [`${path}: ${readFileSync(path, 'latin1')}`]
    })
    .toSorted()

type Outcome = 'runs' | string

const outcomeOf = async (command: readonly string[], options: RunOptions): Promise<Outcome> =>
  run(command, options).then(
    ({ exitCode, stdout, stderr }) => (exitCode === 0 ? 'runs' : `${exitCode} ${stdout} ${stderr}`),
    (error: unknown) => (error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)),
  )

/** What images put in the way of the runtime, and what comes of it: it mounts inside the root, or says what it can't. */
const IMAGES: readonly (readonly [name: string, links: Readonly<Record<string, string>>, outcome: Outcome])[] = [
  ['CVE-2025-31133: /dev/null is a link', { 'dev/null': 'OUTSIDE/null' }, 'runs'],
  [
    'CVE-2025-31133: /dev/null is a link to a file of the kernel',
    { 'dev/null': '/proc/sys/kernel/core_pattern' },
    'runs',
  ],
  ['CVE-2025-52565: /dev/console is a link', { 'dev/console': 'OUTSIDE/console' }, 'runs'],
  ['CVE-2025-52565: /dev/pts is a link', { 'dev/pts': 'OUTSIDE/pts' }, 'runs'],
  ['/dev is a link within the root', { dev: '/etc' }, 'runs'],
  ['/dev is a link to the outside', { dev: 'OUTSIDE' }, 'cannot open /dev: ENOENT (no such file or directory)'],
  ['/dev is a link upwards', { dev: '../outside' }, 'cannot open /dev: ENOENT (no such file or directory)'],
  ['CVE-2019-19921, CVE-2025-52881: /proc is a link within the root', { proc: '/etc' }, 'runs'],
  ['/proc is a link to the outside', { proc: 'OUTSIDE' }, 'cannot open /proc: ENOENT (no such file or directory)'],
  ['/proc is a link upwards', { proc: '../../../../outside' }, 'cannot open /proc: ENOENT (no such file or directory)'],
  ['/sys is a link to the outside', { sys: 'OUTSIDE/sys' }, 'cannot open /sys: ENOENT (no such file or directory)'],
  ['/sys is a link to itself', { sys: 'sys' }, 'cannot open /sys: ELOOP (too many symbolic links)'],
  ['/sys is a link to /proc', { sys: 'proc' }, 'runs'],
]

for (const [name, links, outcome] of IMAGES)
  test(`an image leads no mount astray: ${name}`, { skip }, async (t) => {
    const { rootfs, outside } = makeImage(links)
    nothingLeft(t)
    const before = contentOf(outside)
    for (const kind of EACH)
      for (const more of [{}, { tty: true }, { overlay: true }] as const) {
        const options = { ...kind, ...more, rootfs, sysctls: { 'net.ipv4.ip_forward': 1 } }
        assert.equal(await outcomeOf(['/program', 'open', '/program'], options), outcome, JSON.stringify(more))
        assert.deepEqual(contentOf(outside), before, 'what is outside is as it was')
      }
  })

test('masks and read-only paths are there whatever an image has at /proc', { skip }, async (t) => {
  const { rootfs } = makeImage({ proc: '/etc' })
  nothingLeft(t)
  for (const kind of EACH) {
    const ask = async (...words: readonly string[]): Promise<string> =>
      (await run(['/program', ...words], { ...kind, rootfs })).stdout
    assert.equal(await ask('open', '/etc/sys/kernel/core_pattern'), 'done\n', 'proc is mounted at what the link names')
    assert.equal(await ask('write', '/etc/sys/net/ipv4/ip_forward'), '30\n', 'EROFS')
    assert.equal(await ask('write', '/proc/sys/net/ipv4/conf/all/forwarding'), '30\n', 'EROFS')
  }
})

test('a mount target leads nowhere but into the root', { skip }, async (t) => {
  const { rootfs, outside } = makeImage({
    away: 'OUTSIDE',
    up: '../../../../../../outside',
    in: '/etc',
    loop: 'loop',
    file: 'OUTSIDE/file',
  })
  const source = scratch()
  writeFileSync(join(source, 'marker'), '')
  nothingLeft(t)
  const before = contentOf(outside)
  const at = async (target: string, kind: RunOptions): Promise<Outcome> =>
    outcomeOf(['/program', 'open', `${target}/marker`], { ...kind, rootfs, mounts: [{ source, target }] })
  const missing = (path: string): string => `cannot open ${path}: ENOENT (no such file or directory)`
  for (const kind of EACH) {
    assert.equal(await at('/away', kind), missing('/away'))
    assert.equal(await at('/away/deep', kind), missing('/away'))
    assert.equal(await at('/up/pts', kind), missing('/up'))
    assert.equal(await at('/in/deep/er', kind), 'runs')
    assert.equal(existsSync(join(rootfs, 'etc/deep/er')), true)
    assert.equal(await at('/loop', kind), 'cannot open /loop: ELOOP (too many symbolic links)')
    assert.equal(await at('/../../outside/../mnt', kind), 'runs')
    const file = { source: join(source, 'marker'), target: '/file' }
    assert.equal(await outcomeOf(['/program', 'open', '/file'], { ...kind, rootfs, mounts: [file] }), missing('/file'))
    rmSync(join(rootfs, 'etc/deep'), { recursive: true })
  }
  assert.deepEqual(contentOf(outside), before)
})

test('a race for the way to a mount target is not to be won', { skip }, async (t) => {
  const { rootfs, outside } = makeImage({ link: '../../outside', absolute: 'OUTSIDE' })
  const source = scratch()
  writeFileSync(join(source, 'marker'), '')
  mkdirSync(join(rootfs, 'way/deep'), { recursive: true })
  nothingLeft(t)
  const before = contentOf(outside)
  for (const link of ['link', 'absolute']) {
    // Exchanges a directory with a link that leads out, all the time.
    const swapper = spawn(attack.program, ['swap', join(rootfs, 'way'), join(rootfs, link)])
    await once(swapper.stdout, 'data')
    let ran = 0
    for (let round = 0; round < 60; round += 1) {
      const options = { ...EACH[round % EACH.length], rootfs, mounts: [{ source, target: `/way/deep/made${round}` }] }
      if ((await outcomeOf(['/program', 'open', '/program'], options)) === 'runs') ran += 1
      assert.deepEqual(contentOf(outside), before, `round ${round}`)
    }
    t.diagnostic(`${ran} of 60 found the directory`)
    swapper.kill('SIGKILL')
    await once(swapper, 'close')
  }
})

test('what a container writes to a kernel parameter goes to the kernel', { skip }, async (t) => {
  // A directory in place of /proc with a file of the parameter's name, as an image can bring one.
  const { rootfs, outside } = makeImage({ 'proc/sys/net/ipv4/ip_forward': 'OUTSIDE/ip_forward' })
  nothingLeft(t)
  const before = contentOf(outside)
  for (const kind of EACH) {
    const options = { ...kind, rootfs, sysctls: { 'net.ipv4.ip_forward': 1 } }
    assert.equal(await outcomeOf(['/program', 'open', '/proc/sys/net/ipv4/ip_forward'], options), 'runs')
  }
  assert.deepEqual(contentOf(outside), before)
})

test('users are looked up in the image, and no link of it leads to those of the host', { skip }, async (t) => {
  const { rootfs, outside } = makeImage({ 'etc/passwd': 'OUTSIDE/passwd', 'etc/group': '../../outside/group' })
  writeFileSync(join(outside, 'passwd'), 'victim:x:1234:1234::/:/bin/sh\n')
  writeFileSync(join(outside, 'group'), 'victim:x:1234:\n')
  nothingLeft(t)
  const refused = 'cannot use user victim: the root has no user of that name'
  for (const kind of EACH) assert.equal(await outcomeOf(['/program'], { ...kind, rootfs, user: 'victim' }), refused)
})

test('a link that a container leaves in a shared directory means nothing to the next one', { skip }, async (t) => {
  const { outside } = makeImage({})
  const shared = scratch()
  nothingLeft(t)
  for (const kind of EACH) {
    const mounts = [{ source: shared, target: '/shared' }]
    await run(['ln', '-sfn', outside, '/shared/link'], { ...kind, mounts })
    const target = await outcomeOf(['true'], {
      ...kind,
      mounts: [...mounts, { source: shared, target: '/shared/link/in' }],
    })
    assert.equal(target, 'cannot open /shared/link: ENOENT (no such file or directory)')
    const read = await run([ATTACK, 'open', '/shared/link/file'], { ...kind, mounts: [...mounts, attackMount(attack)] })
    assert.equal(read.stdout, '2\n', 'ENOENT')
  }
})
