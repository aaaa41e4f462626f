// A system of Debian's, from its mirror. It takes the network, 30 MB and up to a minute: "npm run test:bootstrap".
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { BootstrapProgress } from '../../src/index.ts'
import { bootstrap, run, TareError } from '../../src/index.ts'
import { lacksProgram, lacksRoot } from './child.ts'

const asked = process.env['TARE_TEST_BOOTSTRAP'] === undefined ? 'needs "npm run test:bootstrap"' : undefined
const skip = asked ?? lacksRoot() ?? lacksProgram('mmdebstrap') ?? false

const base = mkdtempSync(join(tmpdir(), 'tare-bootstrap-real-'))
chmodSync(base, 0o755)
after(() => rmSync(base, { recursive: true, force: true }))

const cacheDirectory = join(base, 'cache')

/** Every file with all that is kept of it but the times of directories and what is in it. */
const listing = (root: string): string => {
  const format = '%P %y %m %U %G %s %l %T@\n'
  const { stdout } = spawnSync('find', [root, '-not', '-type', 'd', '-printf', format], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  return stdout.split('\n').toSorted().join('\n')
}

test('minbase of bookworm, and a copy of it', { skip }, async (t) => {
  const phases = new Set<string>()
  const onProgress = ({ phase }: BootstrapProgress): void => void phases.add(phase)
  const [first, second] = [join(base, 'first'), join(base, 'second')]
  const began = performance.now()
  const made = await bootstrap('debian:12', { output: first, cacheDirectory, onProgress })
  const between = performance.now()
  const copy = await bootstrap('debian:bookworm', { output: second, cacheDirectory })
  t.diagnostic(`made in ${Math.round(between - began)} ms, copied in ${Math.round(performance.now() - between)} ms`)
  assert.deepEqual([made.system, made.cached, made.engine], ['debian:bookworm', false, 'mmdebstrap'])
  assert.deepEqual([copy.system, copy.cached, copy.warnings], ['debian:bookworm', true, []])
  assert.deepEqual([...phases], ['looking', 'indexes', 'downloading', 'installing', 'finishing'])
  assert.equal(listing(second), listing(first))
  assert.deepEqual(readdirSync(base).toSorted(), ['cache', 'first', 'second'])
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /tare-bootstrap-real-/)

  const { stdout, exitCode, stderr } = await run(
    ['sh', '-c', 'dpkg --audit; apt-cache --version; cat /etc/debian_version'],
    {
      rootfs: second,
    },
  )
  assert.equal(exitCode, 0, stderr)
  assert.match(stdout, /^apt [\s\S]*\n12\.\d+\n$/)
  assert.match(readFileSync(join(second, 'etc/apt/sources.list'), 'utf8'), /^deb http:\/\/security\.debian\.org/m)
  assert.deepEqual(readdirSync(join(second, 'etc/dpkg/dpkg.cfg.d')), [])
})

test('keys that are not those of the archive are not enough', { skip }, async () => {
  const keyring = join(base, 'empty.gpg')
  writeFileSync(keyring, '')
  await assert.rejects(
    bootstrap('debian:12', { output: join(base, 'unsigned'), keyring, cache: 'none' }),
    (error) => error instanceof TareError && error.code === 'ERR_TARE_SIGNATURE' && error.message.includes('NO_PUBKEY'),
  )
  assert.equal(
    readdirSync(base).some((name) => name.includes('unsigned')),
    false,
  )
})
