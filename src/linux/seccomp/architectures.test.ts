import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { SYSCALLS } from '../syscall-table.ts'
import type { SeccompArchitecture } from './architectures.ts'
import {
  isSyscallName,
  SECCOMP_ARCHITECTURES,
  seccompAbi,
  seccompNumbers,
  seccompSyscallName,
  X32_BIT,
} from './architectures.ts'

test('every architecture has its calls, each number once', () => {
  for (const architecture of SECCOMP_ARCHITECTURES) {
    const numbers = seccompNumbers(architecture)
    assert.ok(numbers.size > 300, `${architecture} has ${numbers.size} calls`)
    for (const name of ['read', 'execve', 'exit_group', 'openat2', 'landlock_restrict_self']) {
      assert.ok(numbers.has(name), `${architecture} lacks ${name}`)
    }
    for (const [name, nr] of numbers) {
      assert.equal(seccompNumbers(architecture).get(seccompSyscallName(architecture, nr) ?? ''), nr, name)
    }
  }
})

test('numbers from 424 on are the same everywhere, past the base', () => {
  for (const architecture of SECCOMP_ARCHITECTURES) {
    const { base } = seccompAbi(architecture)
    assert.equal(seccompNumbers(architecture).get('pidfd_send_signal'), base + 424)
    assert.equal(seccompNumbers(architecture).get('mseal'), base + 462)
  }
})

test('the tables agree with the calls that Tare makes itself', () => {
  const columns: readonly SeccompArchitecture[] = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64']
  for (const [name, numbers] of Object.entries(SYSCALLS)) {
    if (!isSyscallName(name)) continue
    for (const [i, architecture] of columns.entries()) {
      const nr = numbers[i] ?? -1
      assert.equal(seccompNumbers(architecture).get(name) ?? -1, nr, `${name} on ${architecture}`)
    }
  }
})

const headers: readonly (readonly [string, SeccompArchitecture])[] = [
  ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', 'SCMP_ARCH_X86_64'],
  ['/usr/include/x86_64-linux-gnu/asm/unistd_32.h', 'SCMP_ARCH_X86'],
  ['/usr/include/x86_64-linux-gnu/asm/unistd_x32.h', 'SCMP_ARCH_X32'],
  ['/usr/arm-linux-gnueabihf/include/asm/unistd-common.h', 'SCMP_ARCH_ARM'],
]

for (const [header, architecture] of headers) {
  test(`the table of ${architecture} agrees with the kernel's header`, (t) => {
    if (!existsSync(header)) return t.skip(`needs ${header}`)
    const lines = readFileSync(header, 'utf8').matchAll(/^#define __NR_(\w+) \(?(?:__X32_SYSCALL_BIT \+ )?(\d+)\)?$/gm)
    const { base } = seccompAbi(architecture)
    let count = 0
    for (const [, name = '', nr] of lines) {
      if (!isSyscallName(name)) continue
      count += 1
      assert.equal(seccompNumbers(architecture).get(name), base + Number(nr), name)
    }
    assert.ok(count > 300, `${count} names read`)
  })
}

test('x32 has its own numbers, marked by bit 30', () => {
  assert.equal(seccompNumbers('SCMP_ARCH_X32').get('read'), X32_BIT)
  assert.equal(seccompNumbers('SCMP_ARCH_X32').get('execve'), X32_BIT + 520)
  assert.equal(seccompSyscallName('SCMP_ARCH_X32', X32_BIT + 520), 'execve')
  assert.equal(seccompSyscallName('SCMP_ARCH_X86_64', 100_000), undefined)
})
