import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  ALL_CAPABILITIES,
  CAPABILITIES,
  capabilitySet,
  FILE_CAPABILITY_XATTR,
  formatCapabilityText,
  inAmbientSet,
  inBoundingSet,
  lastCapability,
  parseCapabilityText,
  readFileCapabilities,
  readProcessCapabilities,
  removeFileCapabilities,
  setXattr,
  writeFileCapabilities,
} from '../../src/linux/index.ts'
import { inChild, lacksProgram, lacksRoot } from './child.ts'

/** libcap's own functions, for two texts a line: `from TEXT` gives three sets or `bad`, `to E P I` gives a text. */
const ORACLE = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
typedef struct _cap_struct *cap_t;
cap_t cap_from_text(const char *); char *cap_to_text(cap_t, long *); cap_t cap_init(void); int cap_free(void *);
int cap_set_flag(cap_t, int, int, const int *, int); int cap_get_flag(cap_t, int, int, int *);
static uint64_t set(cap_t c, int which) {
  uint64_t all = 0;
  for (int n = 0; n < 64; n++) { int on = 0; if (cap_get_flag(c, n, which, &on) == 0 && on) all |= 1ull << n; }
  return all;
}
int main(void) {
  static char line[65536];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\\n")] = 0;
    if (!strncmp(line, "from ", 5)) {
      cap_t c = cap_from_text(line + 5);
      if (!c) { puts("bad"); continue; }
      printf("%llu %llu %llu\\n", (unsigned long long)set(c, 0), (unsigned long long)set(c, 1), (unsigned long long)set(c, 2));
      cap_free(c);
    } else {
      unsigned long long s[3];
      if (sscanf(line, "to %llu %llu %llu", &s[0], &s[1], &s[2]) != 3) return 1;
      cap_t c = cap_init();
      for (int which = 0; which < 3; which++)
        for (int n = 0; n < 64; n++) if (s[which] >> n & 1) cap_set_flag(c, which, 1, &n, 1);
      char *text = cap_to_text(c, 0);
      puts(text ? text : "bad"); cap_free(text); cap_free(c);
    }
  }
  return 0;
}
`

const temporary = (t: TestContext): string => {
  const directory = mkdtempSync(join(tmpdir(), 'tare-capability-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

test('the text form is that of libcap, both ways', (t) => {
  const lack = lacksProgram('cc')
  if (lack !== undefined) return t.skip(lack)
  const directory = temporary(t)
  const program = join(directory, 'oracle')
  const build = spawnSync('cc', ['-w', '-x', 'c', '-', '-o', program, '-l:libcap.so.2'], { input: ORACLE })
  if (build.status !== 0) return t.skip(`needs libcap.so.2: ${String(build.stderr).split('\n')[0]}`)

  const ask = (lines: readonly string[]): readonly string[] =>
    execFileSync(program, { input: `${lines.join('\n')}\n`, encoding: 'utf8', maxBuffer: 1 << 28 })
      .split('\n')
      .slice(0, -1)

  const set64 = fc.bigInt(0n, 2n ** 64n - 1n)
  const few = fc
    .subarray(
      Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)),
      { maxLength: 5 },
    )
    .map((bits) => bits.reduce((all, bit) => all | bit, 0n))
  const most = few.map((set) => ALL_CAPABILITIES & ~set)
  const set = fc.oneof(set64, few, most, fc.constantFrom(0n, ALL_CAPABILITIES))
  const states = fc.sample(
    fc.tuple(set, set, set).map(([effective, permitted, inheritable]) => ({ effective, permitted, inheritable })),
    3000,
  )
  const written = ask(states.map((state) => `to ${state.effective} ${state.permitted} ${state.inheritable}`))
  assert.equal(written.length, states.length)
  for (const [index, state] of states.entries()) assert.equal(formatCapabilityText(state), written[index])

  const odd = ['all', 'ALL', '0', '0x15', '07', '63', '64', '08', '0x', 'cap_none', 'chown', '', '_', 'CAP_KILL']
  const word = fc.constantFrom(...odd, ...CAPABILITIES.map(({ name }) => name.toLowerCase()))
  const action = fc
    .tuple(fc.constantFrom('=', '+', '-', '=+', '=-', '', '!'), fc.stringMatching(/^[eipx]{0,3}$/))
    .map((parts) => parts.join(''))
  const clause = fc
    .tuple(fc.array(word, { maxLength: 3 }), fc.array(action, { minLength: 1, maxLength: 3 }))
    .map(([words, actions]) => words.join(',') + actions.join(''))
  const sound = fc
    .tuple(
      fc.subarray(['cap_chown', 'CAP_KILL', '5', 'cap_bpf'], { minLength: 1 }),
      fc.constantFrom('=', '+p', '-e', '=ep', '=+i', '=-e', '=p+e-i', '+eip-p'),
    )
    .map(([words, actions]) => words.join(',') + actions)
  const line = fc
    .tuple(
      fc.array(fc.oneof({ weight: 4, arbitrary: sound }, clause), { maxLength: 4 }),
      fc.constantFrom(' ', '\t', '  '),
    )
    .map(([clauses, space]) => clauses.join(space))
  const texts = fc.sample(fc.oneof(line, fc.stringMatching(/^[a-z_,=+ eip0-9-]{0,20}$/)), 5000)
  const read = ask(texts.map((text) => `from ${text}`))
  assert.equal(read.length, texts.length)
  const ours = texts.map((text) => {
    try {
      const state = parseCapabilityText(text)
      return `${state.effective} ${state.permitted} ${state.inheritable}`
    } catch {
      return 'bad'
    }
  })
  for (const [index, text] of texts.entries()) assert.equal(ours[index], read[index], JSON.stringify(text))
  const good = ours.filter((each) => each !== 'bad').length
  assert.ok(good > 500 && good < 4500, `${good} of 5000 texts are good: too one-sided a sample`)
})

test('this kernel knows exactly the capabilities that have a name', () => {
  assert.equal(lastCapability(), CAPABILITIES.length - 1)
})

test('file capabilities are those of setcap(8) and getcap(8)', (t) => {
  const lack = lacksRoot() ?? lacksProgram('setcap', 'getcap')
  if (lack !== undefined) return t.skip(lack)
  const file = join(temporary(t), 'program')
  writeFileSync(file, '', { mode: 0o755 })
  assert.equal(readFileCapabilities(file), undefined)
  assert.equal(removeFileCapabilities(file), false)

  execFileSync('setcap', ['cap_net_raw,cap_sys_admin+ep', file])
  const both = capabilitySet(['CAP_NET_RAW', 'CAP_SYS_ADMIN'])
  assert.deepEqual(readFileCapabilities(file), { revision: 2, permitted: both, inheritable: 0n, effective: true })

  execFileSync('setcap', ['-n', '1000', 'cap_kill=i', file])
  const kill = capabilitySet(['CAP_KILL'])
  const three = { revision: 3, permitted: 0n, inheritable: kill, effective: false, rootId: 1000 }
  assert.deepEqual(readFileCapabilities(file), three)

  const fd = openSync(file, 'r')
  writeFileCapabilities(fd, { permitted: both, inheritable: kill, effective: true })
  assert.deepEqual(readFileCapabilities(fd), { revision: 2, permitted: both, inheritable: kill, effective: true })
  const shown = execFileSync('getcap', [file], { encoding: 'utf8' })
  const text = shown.slice(file.length).trim()
  // getcap writes the effective flag for whatever the file gives.
  assert.deepEqual(parseCapabilityText(text), { permitted: both, inheritable: kill, effective: both | kill })
  assert.equal(removeFileCapabilities(fd), true)
  closeSync(fd)

  writeFileCapabilities(file, { permitted: both, inheritable: 0n, effective: false, rootId: 1000 })
  assert.match(
    execFileSync('getcap', ['-n', file], { encoding: 'utf8' }),
    /cap_net_raw,cap_sys_admin=p \[rootid=1000\]/,
  )
  assert.equal(removeFileCapabilities(file), true)
  assert.equal(execFileSync('getcap', [file], { encoding: 'utf8' }), '')
})

test('the kernel refuses an attribute that our decoder refuses', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const file = join(temporary(t), 'program')
  writeFileSync(file, '')
  assert.throws(() => setXattr(file, FILE_CAPABILITY_XATTR, new Uint8Array(20)), /EINVAL/)
})

test('the sets of this thread can be read, shrunk and raised', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inChild(`
    const { permitted } = linux.getThreadCapabilities()
    const before = linux.readProcessCapabilities()
    const kept = linux.capabilitySet(['CAP_CHOWN', 'CAP_SETPCAP', 'CAP_NET_RAW'])
    linux.dropFromBoundingSet('CAP_SYS_BOOT')
    linux.setThreadCapabilities({ permitted: kept, effective: kept, inheritable: linux.capabilitySet(['CAP_CHOWN', 'CAP_NET_RAW']) })
    linux.raiseAmbient('CAP_CHOWN')
    linux.raiseAmbient('CAP_NET_RAW')
    linux.lowerAmbient('CAP_CHOWN')
    const errors = []
    for (const attempt of [
      () => linux.raiseAmbient('CAP_SETPCAP'),
      () => linux.setThreadCapabilities({ permitted, effective: 0n, inheritable: 0n }),
    ]) try { attempt() } catch (error) { errors.push(error.code) }
    const after = linux.readProcessCapabilities()
    const asked = [linux.inBoundingSet('CAP_SYS_BOOT'), linux.inAmbientSet('CAP_NET_RAW'), linux.inAmbientSet('CAP_CHOWN')]
    linux.clearAmbient()
    const cleared = linux.readProcessCapabilities().ambient
    linux.setThreadCapabilities({ permitted: 0n, effective: 0n, inheritable: 0n })
    try { linux.dropFromBoundingSet('CAP_CHOWN') } catch (error) { errors.push(error.code) }
    done({ same: before.permitted === permitted, after, asked, cleared, errors, bounding: before.bounding ^ after.bounding })
  `)
  assert.deepEqual(result, {
    same: true,
    after: {
      inheritable: `${capabilitySet(['CAP_CHOWN', 'CAP_NET_RAW'])}`,
      permitted: `${capabilitySet(['CAP_CHOWN', 'CAP_SETPCAP', 'CAP_NET_RAW'])}`,
      effective: `${capabilitySet(['CAP_CHOWN', 'CAP_SETPCAP', 'CAP_NET_RAW'])}`,
      bounding: `${readProcessCapabilities().bounding & ~capabilitySet(['CAP_SYS_BOOT'])}`,
      ambient: `${capabilitySet(['CAP_NET_RAW'])}`,
    },
    asked: [false, true, false],
    cleared: '0',
    errors: ['EPERM', 'EPERM', 'EPERM'],
    bounding: `${capabilitySet(['CAP_SYS_BOOT'])}`,
  })
})

test('capsh(1) sees the sets that we see', (t) => {
  const lack = lacksRoot() ?? lacksProgram('capsh')
  if (lack !== undefined) return t.skip(lack)
  const through = [
    'capsh',
    '--drop=cap_sys_boot,cap_mknod',
    '--caps=cap_chown,cap_kill=ip cap_setpcap+ep',
    '--',
    '-c',
    'exec "$@"',
    '--',
  ]
  const seen = inChild('done(linux.formatCapabilityText(linux.readProcessCapabilities()))', { through })
  // Root gains by execve(2) what is in the bounding set.
  const bounding = readProcessCapabilities().bounding & ~capabilitySet(['CAP_SYS_BOOT', 'CAP_MKNOD'])
  const inheritable = capabilitySet(['CAP_CHOWN', 'CAP_KILL'])
  assert.equal(seen, formatCapabilityText({ effective: bounding, permitted: bounding, inheritable }))
})

test('bounding and ambient sets of this thread are those of its status', () => {
  const { bounding, ambient } = readProcessCapabilities()
  for (const { name, number } of CAPABILITIES) {
    assert.equal(inBoundingSet(name), ((bounding >> BigInt(number)) & 1n) === 1n, name)
    assert.equal(inAmbientSet(name), ((ambient >> BigInt(number)) & 1n) === 1n, name)
  }
})

test('securebits and no_new_privs are set for good', (t) => {
  const lack = lacksRoot()
  if (lack !== undefined) return t.skip(lack)
  const result = inChild(`
    const before = [linux.getSecurebits(), linux.getNoNewPrivs()]
    linux.setSecurebits(['SECBIT_NOROOT', 'SECBIT_NOROOT_LOCKED', 'SECBIT_NO_CAP_AMBIENT_RAISE'])
    const codes = []
    try { linux.setSecurebits([]) } catch (error) { codes.push(error.code) }
    linux.setThreadCapabilities({ permitted: 1n, effective: 1n, inheritable: 1n })
    try { linux.raiseAmbient('CAP_CHOWN') } catch (error) { codes.push(error.code) }
    linux.setNoNewPrivs()
    done([before, codes, linux.getSecurebits(), linux.getNoNewPrivs()])
  `)
  const locked = ['SECBIT_NOROOT', 'SECBIT_NOROOT_LOCKED', 'SECBIT_NO_CAP_AMBIENT_RAISE']
  assert.deepEqual(result, [[[], false], ['EPERM', 'EPERM'], locked, true])
})
