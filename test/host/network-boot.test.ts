// A system of systemd with a link to the host, in a network namespace that this process makes for itself. By "npm run
// test:boot", as all that boots systemd.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { NO_SYSTEMD, makeSystemd } from '../cli/machine.ts'
import { tare } from '../cli/tare.ts'
import { ELSEWHERE, HOST, enterScene, lacksNetworks, leftOfLinks, setForwarding } from './network-scene.ts'

const lack =
  lacksNetworks() ??
  (NO_SYSTEMD || undefined) ??
  (existsSync('/usr/sbin/nginx') ? undefined : 'needs nginx (package nginx-light)') ??
  (process.env['TARE_TEST_BOOT'] === undefined ? 'needs "npm run test:boot"' : undefined)
const elsewhere = lack === undefined ? enterScene() : { nsenter: [] }

const UNIT = `[Unit]
After=network.target
[Service]
ExecStart=/usr/sbin/nginx -c /etc/web.conf -g "daemon off;"
[Install]
WantedBy=multi-user.target
`

const CONFIGURATION = `user root;
pid /run/web.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path /run/web-1;
  proxy_temp_path /run/web-2;
  fastcgi_temp_path /run/web-3;
  uwsgi_temp_path /run/web-4;
  scgi_temp_path /run/web-5;
  server { listen 80; location / { return 200 "served to $remote_addr\\n"; } }
}
`

test('nginx, started by systemd, is reached over the link', { skip: lack ?? false, timeout: 120_000 }, async (t) => {
  const box = await makeSystemd('netbox', ['nginx', 'getent', 'hostname'])
  mkdirSync(join(box, 'etc/systemd/system/multi-user.target.wants'), { recursive: true })
  for (const path of ['var/log/nginx', 'var/lib/nginx']) mkdirSync(join(box, path), { recursive: true })
  writeFileSync(join(box, 'etc/systemd/system/web.service'), UNIT)
  symlinkSync('../web.service', join(box, 'etc/systemd/system/multi-user.target.wants/web.service'))
  writeFileSync(join(box, 'etc/web.conf'), CONFIGURATION)
  setForwarding('1')
  const name = `netbox${process.pid}`
  const call = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = tare(args)
    assert.equal(status, 0, stderr)
    return stdout
  }
  t.after(() => tare(['poweroff', '--force', name]))
  call('boot', '-d', '--wait', '--name', name, '--network=veth', '-p', '8080:80', '--ip', '10.213.7.7', box)
  const get = async (url: string): Promise<string> => {
    for (const begin = performance.now(); ; await sleep(50)) {
      try {
        return await (await fetch(url, { headers: { connection: 'close' } })).text()
      } catch (error) {
        if (performance.now() - begin > 30_000) throw error
      }
    }
  }
  assert.equal(await get('http://10.213.7.7/'), 'served to 10.213.7.6\n')
  assert.equal(await get('http://127.0.0.1:8080/'), 'served to 10.213.7.6\n')
  const [command = '', ...args] = [...elsewhere.nsenter, 'curl', '-sS', `http://${HOST}:8080/`]
  assert.equal(execFileSync(command, args, { encoding: 'utf8' }), `served to ${ELSEWHERE}\n`)
  assert.match(call('boot', 'ls'), new RegExp(`^${name} .* 10\\.213\\.7\\.7 `, 'm'))
  call('poweroff', name)
  assert.deepEqual(leftOfLinks(), [])
})
