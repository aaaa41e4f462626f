// A web server on port 80 as an ordinary user: it fails, is granted cap_net_bind_service, and works.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inChild, lacksProgram, lacksRoot } from '../host/child.ts'
import { NOBODY, NODE_ARGS, PROGRAM, tare } from './tare.ts'

const lack = lacksRoot() ?? lacksProgram('nginx', 'ip', 'unshare')

/** What became of a server: the page that it gave, or how it ended. */
interface Served {
  readonly page?: string
  readonly status?: number
  readonly stderr?: string
}

/** Starts servers in a network namespace of its own, one after the other, and asks each for its page. */
const CHILD = `
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
execFileSync('ip', ['link', 'set', 'lo', 'up'])
const fetchPage = async () => {
  try { return await (await fetch('http://127.0.0.1/')).text() } catch { return undefined }
}
const serve = async ([command, ...args], options) => {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'inherit', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text })
  const closed = once(child, 'close')
  let page
  while (page === undefined && child.exitCode === null) {
    page = await fetchPage()
    if (page === undefined) await setTimeout(20)
  }
  child.kill('SIGTERM')
  const [status] = await closed
  return page === undefined ? { status, stderr } : { page }
}
`

test('nginx as an ordinary user is granted port 80', { skip: lack ?? false }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-cap-nginx-'))
  t.after(() => rmSync(directory, { recursive: true }))
  chmodSync(directory, 0o755)
  for (const name of ['www', 'state']) mkdirSync(join(directory, name))
  chownSync(join(directory, 'state'), NOBODY.uid, NOBODY.gid)
  writeFileSync(join(directory, 'www/index.html'), 'a page\n')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${directory}/state/${name};`,
  )
  const server = `server { listen 127.0.0.1:80; root ${directory}/www; }`
  writeFileSync(
    join(directory, 'nginx.conf'),
    `daemon off; master_process off; pid ${directory}/state/pid; error_log stderr;
    events {}
    http { access_log off; ${temporary.join(' ')} ${server} }`,
  )
  const nginx = join(directory, 'nginx')
  const found = execFileSync('sh', ['-c', 'command -v nginx'], { encoding: 'utf8' }).trim()
  copyFileSync(found, nginx)
  chmodSync(nginx, 0o755)

  const command = [nginx, '-e', 'stderr', '-c', join(directory, 'nginx.conf')]
  const serve = (words: readonly string[], options: object = {}): Served =>
    inChild(`${CHILD} done(await serve(${JSON.stringify(words)}, ${JSON.stringify(options)}))`, {
      through: ['unshare', '--net'],
    }) as Served

  const refused = serve(command, NOBODY)
  assert.equal(refused.status, 1)
  assert.match(refused.stderr ?? '', /bind\(\) to 127\.0\.0\.1:80 failed \(13: Permission denied\)/)

  assert.equal(tare(['cap', 'set', 'cap_net_bind_service=ep', nginx]).status, 0)
  assert.deepEqual(serve(command, NOBODY), { page: 'a page\n' })

  assert.equal(tare(['cap', 'rm', nginx]).status, 0)
  assert.equal(serve(command, NOBODY).status, 1)

  const run = [PROGRAM, ...NODE_ARGS, 'cap', 'run', '--user', `${NOBODY.uid}:${NOBODY.gid}`]
  assert.equal(serve([...run, '--', ...command]).status, 1)
  assert.deepEqual(serve([...run, '--keep', 'net_bind_service', '--', ...command]), { page: 'a page\n' })
})
