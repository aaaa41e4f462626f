import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeSeccompReturn } from '../linux/seccomp/action.ts'
import type { SeccompArchitecture } from '../linux/seccomp/architectures.ts'
import { isSyscallName, seccompAbi, seccompNumbers } from '../linux/seccomp/architectures.ts'
import { compileSeccomp } from '../linux/seccomp/compile.ts'
import { interpretSeccomp } from '../linux/seccomp/interpret.ts'
import { validateSeccompProfile } from '../linux/seccomp/profile.ts'
import { ALLOWED, PRIVILEGED, REFUSED } from './default-seccomp-names.ts'
import { defaultSeccompProfile, defaultSeccompProgram } from './default-seccomp.ts'

const calls = (
  capabilities: readonly string[],
  architecture: SeccompArchitecture = 'SCMP_ARCH_X86_64',
  native: SeccompArchitecture = 'SCMP_ARCH_X86_64',
): ((name: string, ...args: readonly (number | bigint)[]) => string) => {
  const { program } = compileSeccomp(defaultSeccompProfile(capabilities, native), { native })
  const { audit: arch } = seccompAbi(architecture)
  return (name, ...args) => {
    const nr = seccompNumbers(architecture).get(name) ?? assert.fail(`${architecture} lacks ${name}`)
    return describeSeccompReturn(interpretSeccomp(program, { arch, nr, args }))
  }
}

const HIGH = 1n << 32n

test('every call of every covered architecture is decided, or is left to ENOSYS on purpose', () => {
  const conditional = ['ioctl', 'socket', 'personality', 'clone', 'clone3']
  const decided = new Set([...ALLOWED, ...REFUSED, ...Object.values(PRIVILEGED).flat(), ...conditional])
  const architectures: readonly SeccompArchitecture[] = [
    'SCMP_ARCH_X86_64',
    'SCMP_ARCH_X86',
    'SCMP_ARCH_AARCH64',
    'SCMP_ARCH_ARM',
  ]
  const known = new Set(architectures.flatMap((each) => [...seccompNumbers(each).keys()]))
  // The kernel itself has no such call any more, or nothing needs it: socketcall hides what it is called for.
  const left = `_sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx
    nfsservctl oldfstat oldlstat oldolduname oldstat olduname pciconfig_iobase pciconfig_read pciconfig_write prof profil
    putpmsg query_module readdir security sgetmask socketcall ssetmask stty sysfs tuxcall ulimit uselib usr26 usr32 ustat
    vserver`
  assert.deepEqual([...known].filter((name) => !decided.has(name)).toSorted(), left.split(/\s+/).toSorted())
})

test('the lists name calls that exist, each once', () => {
  const names = [...ALLOWED, ...REFUSED]
  assert.deepEqual(
    names.filter((name) => !isSyscallName(name)),
    [],
  )
  assert.equal(new Set(names).size, names.length)
  for (const [capability, privileged] of Object.entries(PRIVILEGED)) {
    assert.deepEqual(
      privileged.filter((name) => !isSyscallName(name) || names.includes(name)),
      [],
      capability,
    )
  }
})

test('the profile is a valid one of the runtime-spec', () => {
  const profile = defaultSeccompProfile(['CAP_SYS_ADMIN'])
  assert.deepEqual(validateSeccompProfile(profile), profile)
})

test('without capabilities: the usual passes, the dangerous gets EPERM, the unknown ENOSYS', () => {
  const call = calls([])
  for (const name of ['read', 'openat2', 'execve', 'execveat', 'exit_group', 'futex', 'statx', 'landlock_add_rule']) {
    assert.equal(call(name), 'allow', name)
  }
  const dangerous = `mount umount2 pivot_root unshare setns bpf perf_event_open keyctl add_key request_key io_uring_setup
    userfaultfd kexec_load init_module open_by_handle_at chroot reboot swapon acct settimeofday syslog ioperm`
  for (const name of dangerous.split(/\s+/)) assert.equal(call(name), 'errno EPERM', name)
  for (const name of ['clone3', 'uselib', '_sysctl', 'nfsservctl']) assert.equal(call(name), 'errno ENOSYS', name)
})

test('no clone makes a namespace, whatever other bits are set', () => {
  const call = calls([])
  assert.equal(call('clone', 0x0100_0011), 'allow')
  assert.equal(call('clone', 0x003d_0f00), 'allow')
  for (let bit = 0; bit < 32; bit += 1) {
    const namespace = [17, 25, 26, 27, 28, 29, 30].includes(bit)
    for (const flags of [2 ** bit, 2 ** bit + 17, BigInt(2 ** bit) + HIGH]) {
      assert.equal(call('clone', flags), namespace ? 'errno EPERM' : 'allow', `0x${flags.toString(16)}`)
    }
  }
})

test('ints are judged by their low word, as the kernel reads them', () => {
  const call = calls([])
  for (const high of [0n, HIGH, 0xffff_ffffn << 32n]) {
    assert.equal(call('ioctl', 0, high + 0x5412n), 'errno EPERM')
    assert.equal(call('ioctl', 0, high + 0x541cn), 'errno EPERM')
    assert.equal(call('ioctl', 0, high + 0x5413n), 'allow')
    assert.equal(call('socket', high + 38n), 'errno EAFNOSUPPORT')
    assert.equal(call('socket', high + 40n), 'errno EAFNOSUPPORT')
    for (const family of [0n, 1n, 2n, 10n, 17n, 37n, 39n, 41n, 46n])
      assert.equal(call('socket', high + family), 'allow')
    for (const persona of [0n, 8n, 0x2_0000n, 0x2_0008n, 0xffff_ffffn]) {
      assert.equal(call('personality', high + persona), 'allow')
    }
    assert.equal(call('personality', high + 0x4_0000n), 'errno EPERM')
  }
})

test('audit sockets fail with EINVAL unless CAP_AUDIT_WRITE is granted', () => {
  assert.equal(calls([])('socket', 16, 3, 9), 'errno EINVAL')
  assert.equal(calls([])('socket', HIGH + 16n, 3, HIGH + 9n), 'errno EINVAL')
  assert.equal(calls([])('socket', 16, 3, 0), 'allow')
  assert.equal(calls([])('socket', 2, 3, 9), 'allow')
  assert.equal(calls(['CAP_AUDIT_WRITE'])('socket', 16, 3, 9), 'allow')
  assert.equal(calls(['CAP_AUDIT_WRITE'])('socket', 40), 'errno EAFNOSUPPORT')
})

test('each capability unlocks what is its own and nothing of the others', () => {
  for (const [capability, names] of Object.entries(PRIVILEGED)) {
    for (const architecture of ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] as const) {
      const call = calls([capability], architecture)
      for (const name of new Set(Object.values(PRIVILEGED).flat())) {
        if (!seccompNumbers(architecture).has(name)) continue
        assert.equal(call(name), names.includes(name) ? 'allow' : 'errno EPERM', `${name} with ${capability}`)
      }
    }
  }
})

test('CAP_SYS_ADMIN allows namespaces; no capability allows keyrings or io_uring', () => {
  const call = calls([...Object.keys(PRIVILEGED), 'CAP_AUDIT_WRITE'])
  assert.equal(call('clone', 0x7e02_0000), 'allow')
  assert.equal(call('clone3'), 'allow')
  assert.equal(call('unshare'), 'allow')
  for (const name of REFUSED) {
    if (seccompNumbers('SCMP_ARCH_X86_64').has(name)) assert.equal(call(name), 'errno EPERM', name)
  }
})

test('32-bit programs get the same; a socket behind socketcall, whose family no filter sees, is refused', () => {
  const x86 = calls([], 'SCMP_ARCH_X86')
  assert.equal(x86('mmap2'), 'allow')
  assert.equal(x86('mount'), 'errno EPERM')
  assert.equal(x86('socket', 2), 'allow')
  assert.equal(x86('socketcall', 1), 'errno EAFNOSUPPORT')
  assert.equal(x86('socketcall', 3), 'allow')
  assert.equal(x86('ipc', 21), 'allow')
  assert.equal(x86('vm86'), 'errno EPERM')
  const arm = calls([], 'SCMP_ARCH_ARM', 'SCMP_ARCH_AARCH64')
  for (const name of ['set_tls', 'cacheflush', 'arm_fadvise64_64']) assert.equal(arm(name), 'allow', name)
  assert.equal(arm('clone', 0x1000_0000), 'errno EPERM')
  assert.equal(calls([], 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_AARCH64')('openat'), 'allow')
})

test('programs are compiled once for what makes a difference, and are short', () => {
  const program = defaultSeccompProgram(['CAP_KILL', 'CAP_SYS_TIME'])
  assert.equal(defaultSeccompProgram(['CAP_SYS_TIME', 'CAP_SYS_TIME', 'CAP_CHOWN']), program)
  assert.notEqual(defaultSeccompProgram([]), program)
  assert.ok(program.instructions < 400, `${program.instructions} instructions`)
  assert.deepEqual(program.unknown, [])
  assert.equal(program.listener, false)
})
