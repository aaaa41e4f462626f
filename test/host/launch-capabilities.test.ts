// Programs started with chosen capabilities: the kernel's word on what they have, beside what was foreseen and capsh's.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'

import type { CapabilityLaunchOptions } from '../../src/index.ts'
import { launch, launchCapabilities } from '../../src/index.ts'
import type { ProcessCapabilities } from '../../src/linux/index.ts'
import {
  capabilitiesAfterExec,
  capabilityLabels,
  capabilitySet,
  parseStatusCapabilities,
  readProcessCapabilities,
  securebitsMask,
  setFileCapabilities,
  TareError,
} from '../../src/linux/index.ts'
import { inChild, lacksProgram, lacksRoot } from './child.ts'

const lack = lacksRoot()
const options = lack === undefined ? {} : { skip: lack }

const of = (...names: readonly string[]): bigint => capabilitySet(names)

const STATUS = ['cat', '/proc/self/status'] as const

const seen = async (chosen: CapabilityLaunchOptions): Promise<ProcessCapabilities> =>
  parseStatusCapabilities((await launch(STATUS, launchCapabilities(chosen))).stdout)

test('what is foreseen is what the kernel makes of it', options, async (t) => {
  const own = readProcessCapabilities()
  const few = fc
    .subarray([...capabilityLabels(own.permitted)], { maxLength: 4 })
    .map((labels) => (labels.length === 0 ? 0n : of(...labels)))
  const most = few.map((set) => own.permitted & ~set)
  const set = fc.option(fc.oneof(few, most), { nil: undefined })
  const choice = fc.record({ drop: set, keep: set, add: set, bounding: set, inheritable: set, ambient: set })
  const securebits = fc.constantFrom(undefined, ['SECBIT_NOROOT'] as const, ['SECBIT_NO_SETUID_FIXUP'] as const)
  const chosen = fc.record({
    user: fc.constantFrom(undefined, '65534:65534'),
    securebits,
    noNewPrivileges: fc.boolean(),
  })
  let started = 0
  await fc.assert(
    fc.asyncProperty(choice, chosen, async (sets, rest) => {
      const given = (): ReturnType<typeof launchCapabilities> | undefined => {
        try {
          return launchCapabilities({ ...sets, ...rest })
        } catch (error) {
          assert.ok(error instanceof TareError)
          return undefined
        }
      }
      const before = given()?.capabilities
      if (before === undefined) return
      started++
      const foreseen = capabilitiesAfterExec(before, {
        uid: rest.user === undefined ? 0 : 65534,
        securebits: rest.securebits ?? [],
        noNewPrivs: rest.noNewPrivileges,
      })
      assert.deepEqual(await seen({ ...sets, ...rest }), foreseen)
    }),
    { numRuns: 150 },
  )
  t.diagnostic(`${started} of 150 choices were no contradiction`)
  assert.ok(started > 20)
})

test('so it is with files that have capabilities', options, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-launch-capabilities-'))
  t.after(() => rmSync(directory, { recursive: true }))
  chmodSync(directory, 0o755)
  const program = join(directory, 'cat')
  copyFileSync('/bin/cat', program)
  chmodSync(program, 0o755)
  const few = fc.subarray([0, 5, 12, 13, 21]).map((bits) => bits.reduce((set, bit) => set | (1n << BigInt(bit)), 0n))
  const all = readProcessCapabilities().permitted
  const sets = fc.record({ bounding: few.map((set) => all & ~set), inheritable: few, ambient: few, add: few })
  const file = fc.record({ permitted: few, inheritable: few, effective: fc.boolean() })
  const rest = fc.record({ user: fc.constantFrom(undefined, '65534:65534'), noNewPrivileges: fc.boolean() })
  // Of root, too, the kernel asks for what the file is to make effective.
  const refusedSets = { bounding: all & ~of('kill'), inheritable: 0n, ambient: 0n, add: 0n }
  const refusedFile = { permitted: of('kill'), inheritable: 0n, effective: true }
  let [refused, same] = [0, 0]
  await fc.assert(
    fc.asyncProperty(sets, file, rest, async (chosen, capabilities, who) => {
      setFileCapabilities([program], capabilities)
      const choice = { ...chosen, ...who, bounding: chosen.bounding | chosen.inheritable | chosen.ambient | chosen.add }
      const consistent = { ...choice, inheritable: chosen.inheritable | chosen.ambient }
      const launched = launchCapabilities(consistent)
      assert.ok(launched.capabilities !== undefined)
      const foreseen = capabilitiesAfterExec(launched.capabilities, {
        uid: who.user === undefined ? 0 : 65534,
        securebits: [],
        noNewPrivs: who.noNewPrivileges,
        file: capabilities,
      })
      if (foreseen === undefined) {
        refused++
        await assert.rejects(async () => launch([program, '/proc/self/status'], launched), { code: 'EPERM' })
        assert.throws(() => launchCapabilities({ ...consistent, program }), /the kernel refuses that without cap_/)
        return
      }
      const { stdout } = await launch([program, '/proc/self/status'], launched)
      assert.deepEqual(parseStatusCapabilities(stdout), foreseen)
      if ((chosen.add & ~foreseen.effective) === 0n) launchCapabilities({ ...consistent, program })
      else assert.throws(() => launchCapabilities({ ...consistent, program }), /its file has capabilities of its own/)
      same++
    }),
    { numRuns: 150, examples: [[refusedSets, refusedFile, { user: undefined, noNewPrivileges: false }]] },
  )
  t.diagnostic(`${same} started as foreseen, ${refused} refused by the kernel as foreseen`)
  assert.ok(refused > 0 && same > 0)
})

test('capsh(1) comes to the same', options, async (t) => {
  const missing = lacksProgram('capsh')
  if (missing !== undefined) return t.skip(missing)
  const capsh = (...args: readonly string[]): ProcessCapabilities => {
    const { stdout, stderr } = spawnSync('capsh', [...args, '--', '-c', 'exec cat /proc/self/status'], {
      encoding: 'utf8',
    })
    assert.equal(stderr, '')
    return parseStatusCapabilities(stdout)
  }
  const net = of('net_raw', 'net_admin')
  assert.deepEqual(await seen({}), capsh())
  assert.deepEqual(await seen({ drop: net }), capsh('--drop=cap_net_raw,cap_net_admin'))
  assert.deepEqual(await seen({ inheritable: net }), capsh('--inh=cap_net_raw,cap_net_admin'))
  assert.deepEqual(await seen({ user: 'nobody' }), capsh('--user=nobody'))
  const ambient = ['--inh=cap_net_raw,cap_net_admin', '--addamb=cap_net_raw,cap_net_admin']
  assert.deepEqual(await seen({ add: net, user: 'nobody' }), capsh('--user=nobody', ...ambient))
  assert.deepEqual(await seen({ ambient: net }), capsh(...ambient))
  const noroot = ['SECBIT_NOROOT', 'SECBIT_NOROOT_LOCKED'] as const
  const secbits = `--secbits=${securebitsMask(noroot)}`
  assert.deepEqual(await seen({ securebits: noroot, ambient: net }), capsh(...ambient, secbits))
  assert.deepEqual(await seen({ securebits: noroot }), capsh(secbits))
})

test('securebits and no_new_privs are the program’s', options, async (t) => {
  const missing = lacksProgram('capsh')
  if (missing !== undefined) return t.skip(missing)
  const securebits = ['SECBIT_NOROOT', 'SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED'] as const
  const printed = await launch(
    ['capsh', '--print'],
    launchCapabilities({ securebits, noNewPrivileges: true, keep: of('net_raw') }),
  )
  assert.match(printed.stdout, new RegExp(`^Securebits: .*/0x${securebitsMask(securebits).toString(16)}/`, 'm'))
  assert.match(printed.stdout, /no-new-privs=1/)
  assert.match(printed.stdout, /^Current: cap_net_raw=eip$/m)
})

test('user and groups are those of the user', options, async () => {
  const id = await launch(
    ['sh', '-c', 'id -u; id -g; id -G'],
    launchCapabilities({ user: 'nobody', keep: of('chown') }),
  )
  assert.equal(id.stdout, '65534\n65534\n65534\n')
})

test('an ordinary user can give up, and is told what else takes', options, () => {
  const code = `
    const tare = await import(${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)})
    const all = linux.kernelCapabilities()
    const attempt = async (choice) => {
      try {
        return (await tare.launch(['cat', '/proc/self/status'], tare.launchCapabilities(choice))).stdout
      } catch (error) {
        return error.message
      }
    }
    done([
      await attempt({ drop: all, noNewPrivileges: true }),
      await attempt({ drop: all }),
      await attempt({ add: 1n }),
      await attempt({ keep: 0n, noNewPrivileges: true }),
      await attempt({ securebits: ['SECBIT_NOROOT'] }),
      await attempt({ user: 'root' }),
    ])
  `
  const through = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const [dropped, whole, added, kept, securebits, root] = inChild(code, { through }) as string[]
  for (const text of [dropped, kept]) {
    assert.match(text ?? '', /^NoNewPrivs:\t1$/m)
    const sets = parseStatusCapabilities(text ?? '')
    assert.deepEqual([sets.permitted, sets.effective, sets.inheritable, sets.ambient], [0n, 0n, 0n, 0n])
  }
  assert.match(whole ?? '', /^cannot take from the bounding set cap_chown, .*: EPERM .*\n.*cap_setpcap.*no_new_privs/)
  assert.match(added ?? '', /^cannot start a program with cap_chown: EPERM .*\nBe root/)
  assert.match(securebits ?? '', /^cannot change the securebits: EPERM .*\nIt takes cap_setpcap: be root/)
  assert.match(root ?? '', /EPERM/)
})

test('a user with ambient capabilities can hand them on', options, () => {
  const code = `
    const tare = await import(${JSON.stringify(new URL('../../src/index.js', import.meta.url).href)})
    const chosen = tare.launchCapabilities({ keep: linux.capabilitySet(['net_raw']), noNewPrivileges: true })
    done((await tare.launch(['cat', '/proc/self/status'], chosen)).stdout)
  `
  const ids = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
  const through = [...ids, '--inh-caps=-all,+net_raw,+kill', '--ambient-caps=+net_raw,+kill']
  const sets = parseStatusCapabilities(String(inChild(code, { through })))
  const raw = of('net_raw')
  assert.deepEqual([sets.permitted, sets.effective, sets.ambient], [raw, raw, raw])
})

test('securebits that exec clears are refused', () => {
  assert.throws(() => launchCapabilities({ securebits: ['SECBIT_KEEP_CAPS'] }), /keep_caps: it does not outlive execve/)
})
