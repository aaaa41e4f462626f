// What the sentences about capabilities claim, tried: each returns 0 or more, or the negative errno. They run in a child
// process, which has all but what a probe is about taken from its effective set.
import {
  closeSync,
  existsSync,
  fchmodSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Argument, CapabilityName, SyscallName } from '../../src/linux/index.ts'
import {
  addressOf,
  AT_FDCWD,
  capabilitySet,
  getThreadCapabilities,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  setThreadCapabilities,
  trySyscall,
  unshareFs,
} from '../../src/linux/index.ts'

/** What the parent has prepared. */
export interface Scene {
  /** A file with mode 0 of another user, on the file system of `directory`. */
  readonly file: string
  readonly directory: string
  /** A file of another user that all may read. */
  readonly readable: string
  /** The file handle (name_to_handle_at(2)) of the file, as bytes in hexadecimal. */
  readonly handle: string
  /** A process of another user, outside of every new namespace but user. */
  readonly pid: number
}

const [EPERM, ENOENT, ENOEXEC, EINVAL, ENOSYS] = [1, 2, 8, 22, 38]

/** Answers of a kernel that has been built without it, or a file system without it. */
const LACKING = [-19, -25, -ENOSYS, -93, -95]

/** An error that comes only after the question for the capability: it was granted. */
const granted = (result: number, errno: number): number => (result === -errno ? 0 : result)

interface Probe {
  /** What is in force while it is tried. */
  readonly capabilities: readonly CapabilityName[]
  /** Whether it fails in a user namespace that owns nothing of the host and maps only its own root. */
  readonly initialOnly: boolean
  readonly attempt: (scene: Scene) => number
}

const call = (name: SyscallName, ...args: readonly Argument[]): number => trySyscall(name, ...args)

/** Opens, uses and closes. */
const withFd = (fd: number, use: (fd: number) => number): number => {
  if (fd < 0) return fd
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

const int = (value: number): Int32Array => new Int32Array([value])

/** The answer to a message of audit (NETLINK_AUDIT), as the errno in its acknowledgement. */
const audit = (type: number): number =>
  withFd(call('socket', 16, 3, 9), (fd) => {
    const message = Buffer.alloc(20)
    message.writeUInt32LE(20, 0)
    message.writeUInt16LE(type, 4)
    // NLM_F_REQUEST, NLM_F_ACK
    message.writeUInt16LE(5, 6)
    const sent = call('sendto', fd, message, 20, 0, null, 0)
    if (sent < 0) return sent
    const reply = Buffer.alloc(4096)
    const got = call('recvfrom', fd, reply, reply.length, 0, null, null)
    // NLMSG_ERROR holds a negative errno; anything else is what was asked for.
    return got < 0 ? got : reply.readUInt16LE(4) === 2 ? reply.readInt32LE(16) : 0
  })

const address = (port: number): Uint8Array => {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(2, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set([127, 77, 0, 1], 4)
  return bytes
}

/** BPF_PROG_LOAD of a program for kprobes that does nothing. */
const loadKprobe = (): number => {
  const instructions = Buffer.from('b7000000000000009500000000000000', 'hex')
  const license = Buffer.from('GPL\0')
  const attributes = Buffer.alloc(128)
  attributes.writeUInt32LE(2, 0)
  attributes.writeUInt32LE(2, 4)
  attributes.writeBigUInt64LE(addressOf(instructions), 8)
  attributes.writeBigUInt64LE(addressOf(license), 16)
  const loaded = withFd(call('bpf', 5, attributes, attributes.length), () => 0)
  // EINVAL: a kernel that has no such programs. (BPF_EVENTS)
  return loaded === -EINVAL ? -ENOSYS : loaded
}

/** Opens a file of a file system that is made for the purpose and mounted nowhere. */
const inNewFileSystem = (type: string, options: readonly (readonly [string, string | null])[], file: string): number =>
  withFd(call('fsopen', type, 0), (context) => {
    for (const [key, value] of options) {
      const set = call('fsconfig', context, value === null ? 0 : 1, key, value, 0)
      if (set < 0) return set
    }
    const created = call('fsconfig', context, 6, null, null, 0)
    if (created < 0) return created
    return withFd(call('fsmount', context, 0, 0), (mount) => withFd(call('openat', mount, file, O_WRONLY, 0), () => 0))
  })

const FS_IMMUTABLE = 0x10
const [FS_IOC_GETFLAGS, FS_IOC_SETFLAGS] = [0x80086601, 0x40086602]

/** Makes a file of its own immutable, and takes that back. */
const immutable = (directory: string): number => {
  const path = join(directory, 'own')
  writeFileSync(path, '')
  return withFd(openSync(path, 'r'), (fd) => {
    const flags = new BigInt64Array(1)
    const read = call('ioctl', fd, FS_IOC_GETFLAGS, flags)
    if (read < 0) return read
    const before = flags[0] ?? 0n
    flags[0] = before | BigInt(FS_IMMUTABLE)
    const set = call('ioctl', fd, FS_IOC_SETFLAGS, flags)
    flags[0] = before
    if (set === 0) call('ioctl', fd, FS_IOC_SETFLAGS, flags)
    return set
  })
}

/** Out of a root that chroot(2) set, by a second one: 0 if it is out. */
const leaveChroot = (): number => {
  unshareFs()
  const directory = mkdtempSync(join(tmpdir(), 'tare-chroot-'))
  const root = openSync('/', 'r')
  const first = call('chroot', directory)
  if (first === 0) {
    call('chdir', '/')
    call('mkdirat', AT_FDCWD, 'inner', 0o755)
    const second = call('chroot', 'inner')
    // The working directory lies outside of the new root: nothing stops the way up.
    for (let depth = 0; depth < 64; depth++) call('chdir', '..')
    const out = call('faccessat', AT_FDCWD, 'proc/self', 0)
    call('fchdir', root)
    call('chroot', '.')
    rmdirSync(join(directory, 'inner'))
    rmdirSync(directory)
    closeSync(root)
    return second < 0 ? second : out
  }
  closeSync(root)
  rmdirSync(directory)
  return first
}

/** Attaches System V shared memory of mode 0. */
const attachClosed = (): number => {
  const id = call('shmget', 0, 4096, 0o1000)
  const at = call('shmat', id, 0, 0)
  // An address that doesn't fit an errno: it was attached.
  call('shmctl', id, 0, null)
  return at < 0 && at > -4096 ? at : 0
}

/** Locks memory while the limit is 0. */
const lockMemory = (): number => {
  const [none, before] = [new BigUint64Array(2), new BigUint64Array(2)]
  call('prlimit64', 0, 8, null, before)
  none[1] = before[1] ?? 0n
  call('prlimit64', 0, 8, none, null)
  const page = Buffer.alloc(8192)
  const result = call('mlock', page, 4096)
  if (result === 0) call('munlock', page, 4096)
  call('prlimit64', 0, 8, before, null)
  return result
}

const becomeAndBack = (name: 'setresuid' | 'setresgid'): number => {
  const result = call(name, -1, 65534, -1)
  if (result === 0) call(name, -1, 0, -1)
  return result
}

/** Writes to a set-user-id file: 0 if it is one afterwards. */
const keepSetUserId = (directory: string): number => {
  const path = join(directory, 'set-user-id')
  const fd = openSync(path, 'w')
  fchmodSync(fd, 0o4755)
  const written = call('write', fd, 'x', 1)
  const { mode } = fstatSync(fd)
  closeSync(fd)
  unlinkSync(path)
  return written === 1 && (mode & 0o4000) !== 0 ? 0 : -EPERM
}

/** Raises the hard limit of open files by one. */
const raiseLimit = (): number => {
  const limit = new BigUint64Array(2)
  call('prlimit64', 0, 7, null, limit)
  limit[1] = (limit[1] ?? 0n) + 1n
  return call('prlimit64', 0, 7, limit, null)
}

/** Sets the number after which process ids are given out to what it is. */
const setLastPid = (): number => {
  const path = '/proc/sys/kernel/ns_last_pid'
  if (!existsSync(path)) return -ENOSYS
  return withFd(openSync(path, 'r+'), (fd) => {
    const text = Buffer.alloc(16)
    const length = call('read', fd, text, text.length)
    return call('pwrite64', fd, text, length, 0)
  })
}

const realTime = (): number => {
  const result = call('setpriority', 0, 0, -20)
  if (result === 0) call('setpriority', 0, 0, 0)
  return result
}

const perf = (): number => {
  const attributes = Buffer.alloc(128)
  // PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, of all processes on processor 0.
  attributes.writeUInt32LE(1, 0)
  attributes.writeUInt32LE(128, 4)
  return withFd(call('perf_event_open', attributes, -1, 0, -1, 8), () => 0)
}

const probe = (
  capabilities: CapabilityName | readonly CapabilityName[],
  attempt: (scene: Scene) => number,
  initialOnly = true,
): Probe => ({ capabilities: typeof capabilities === 'string' ? [capabilities] : capabilities, attempt, initialOnly })

/** By what they try. */
export const PROBES: Readonly<Record<string, Probe>> = {
  'take over a file': probe('CAP_CHOWN', ({ file }) => {
    const result = call('fchownat', AT_FDCWD, file, 0, 0, 0)
    if (result === 0) call('fchownat', AT_FDCWD, file, 65534, 65534, 0)
    return result
  }),
  'write to a closed file': probe('CAP_DAC_OVERRIDE', ({ file }) =>
    withFd(call('openat', AT_FDCWD, file, O_RDWR, 0), () => 0),
  ),
  'open by handle': probe('CAP_DAC_READ_SEARCH', ({ directory, handle }) =>
    withFd(openSync(directory, 'r'), (mount) =>
      withFd(call('open_by_handle_at', mount, Buffer.from(handle, 'hex'), O_RDONLY), () => 0),
    ),
  ),
  "change another's mode": probe('CAP_FOWNER', ({ file }) => call('fchmodat', AT_FDCWD, file, 0)),
  "signal another's process": probe('CAP_KILL', ({ pid }) => call('kill', pid, 0)),
  'become another group': probe('CAP_SETGID', () => becomeAndBack('setresgid')),
  'become another user': probe('CAP_SETUID', () => becomeAndBack('setresuid')),
  'make a file immutable': probe('CAP_LINUX_IMMUTABLE', ({ directory }) => immutable(directory)),
  'bind to a port below 1024': probe('CAP_NET_BIND_SERVICE', () =>
    withFd(call('socket', 2, 1, 0), (fd) => call('bind', fd, address(81), 16)),
  ),
  // SO_RCVBUFFORCE
  'configure the network': probe('CAP_NET_ADMIN', () =>
    withFd(call('socket', 2, 1, 0), (fd) => call('setsockopt', fd, 1, 33, int(4096), 4)),
  ),
  'overhear the network': probe('CAP_NET_RAW', () => withFd(call('socket', 17, 3, 0x0300), () => 0)),
  'lock memory': probe('CAP_IPC_LOCK', lockMemory),
  'attach closed shared memory': probe('CAP_IPC_OWNER', attachClosed),
  'leave a chroot': probe('CAP_SYS_CHROOT', leaveChroot, false),
  "take a descriptor of another's process": probe('CAP_SYS_PTRACE', ({ pid }) =>
    withFd(call('pidfd_open', pid, 0), (pidfd) => withFd(call('pidfd_getfd', pidfd, 0, 0), () => 0)),
  ),
  'name a core_pattern in a proc of its own': probe('CAP_SYS_ADMIN', () =>
    inNewFileSystem('proc', [], 'sys/kernel/core_pattern'),
  ),
  'name a release_agent in a hierarchy of its own': probe('CAP_SYS_ADMIN', () =>
    inNewFileSystem(
      'cgroup',
      [
        ['none', null],
        ['name', `tare-probe-${process.pid}`],
      ],
      'release_agent',
    ),
  ),
  // With a wrong magic number, and with unknown flags.
  'restart the machine': probe('CAP_SYS_BOOT', () => granted(call('reboot', 0, 0, 0, 0), EINVAL)),
  'load another kernel': probe('CAP_SYS_BOOT', () => granted(call('kexec_load', 0, 0, null, 8), EINVAL)),
  // 64 bytes that are no module.
  'load a module': probe('CAP_SYS_MODULE', () => granted(call('init_module', new Uint8Array(64), 64, ''), ENOEXEC)),
  'reach I/O ports': probe('CAP_SYS_RAWIO', () => (process.arch === 'x64' ? call('iopl', 3) : -ENOSYS)),
  'raise a hard limit': probe('CAP_SYS_RESOURCE', raiseLimit),
  'account for processes': probe('CAP_SYS_PACCT', ({ directory }) =>
    granted(call('acct', join(directory, 'none')), ENOENT),
  ),
  'keep a file set-user-id': probe('CAP_FSETID', ({ directory }) => keepSetUserId(directory)),
  // A number that no capability has.
  'drop from the bounding set': probe('CAP_SETPCAP', () => granted(call('prctl', 24, 63, 0, 0, 0), EINVAL), false),
  // F_SETLEASE, F_RDLCK
  "take a lease on another's file": probe('CAP_LEASE', ({ readable }) =>
    withFd(openSync(readable, 'r'), (fd) => call('fcntl', fd, 1024, 0)),
  ),
  // CLOCK_BOOTTIME_ALARM
  'set a timer that wakes': probe('CAP_WAKE_ALARM', () => withFd(call('timerfd_create', 9, 0), () => 0)),
  'choose process ids': probe('CAP_CHECKPOINT_RESTORE', setLastPid),
  'go before other processes': probe('CAP_SYS_NICE', realTime),
  // The time zone that is set already.
  'set the clock': probe('CAP_SYS_TIME', () => call('settimeofday', null, new Uint8Array(8))),
  'make a node of a disk': probe('CAP_MKNOD', ({ directory }) => {
    const path = join(directory, 'disk')
    const result = call('mknodat', AT_FDCWD, path, 0o060600, 254 << 8)
    if (result === 0) call('unlinkat', AT_FDCWD, path, 0)
    return result
  }),
  'write an audit record': probe('CAP_AUDIT_WRITE', () => audit(1005)),
  'ask for the state of auditing': probe('CAP_AUDIT_CONTROL', () => audit(1000)),
  'read the audit log': probe('CAP_AUDIT_READ', () =>
    withFd(call('socket', 16, 3, 9), (fd) => {
      const name = Buffer.alloc(12)
      name.writeUInt16LE(16, 0)
      name.writeUInt32LE(1, 8)
      return call('bind', fd, name, 12)
    }),
  ),
  'give a file capabilities': probe('CAP_SETFCAP', ({ file }) => {
    const value = Buffer.from('0100000200200000000000000000000000000000', 'hex')
    return withFd(call('openat', AT_FDCWD, file, O_PATH, 0), (fd) =>
      call('setxattr', `/proc/self/fd/${fd}`, 'security.capability', value, value.length, 0),
    )
  }),
  'read the kernel log': probe('CAP_SYSLOG', () => call('syslog', 9, null, 0)),
  'observe all processes': probe('CAP_PERFMON', perf),
  'attach a program to the kernel': probe(['CAP_BPF', 'CAP_PERFMON'], loadKprobe),
}

/** What came of each probe: with its capabilities alone, and with all others alone. */
export type Outcomes = Readonly<Record<string, readonly [alone: number, without: number]>>

/** Whether a setting of this host lets everybody do it. */
const isOpenToAll = (name: string): boolean => {
  // A kernel built without it has no such file.
  const setting = (path: string): number =>
    existsSync(`/proc/sys/${path}`) ? Number(readFileSync(`/proc/sys/${path}`, 'utf8')) : Number.POSITIVE_INFINITY
  if (name === 'observe all processes') return setting('kernel/perf_event_paranoid') <= 0
  return name === 'bind to a port below 1024' && setting('net/ipv4/ip_unprivileged_port_start') <= 81
}

/**
 * Tries all probes for which this process is permitted what they need. Left out is what this host lets everybody do, and
 * what this kernel lacks.
 */
export const tryProbes = (scene: Scene): Outcomes => {
  const { permitted } = getThreadCapabilities()
  const outcomes: Record<string, readonly [number, number]> = {}
  for (const [name, { capabilities, attempt }] of Object.entries(PROBES)) {
    const needed = capabilitySet(capabilities)
    if ((needed & ~permitted) !== 0n || isOpenToAll(name)) continue
    const under = (effective: bigint): number => {
      setThreadCapabilities({ permitted, effective, inheritable: 0n })
      const result = attempt(scene)
      setThreadCapabilities({ permitted, effective: permitted, inheritable: 0n })
      return result
    }
    // CAP_SYS_ADMIN stands in for those that were once a part of it.
    const stands = needed === capabilitySet(['CAP_SYS_ADMIN']) ? 0n : capabilitySet(['CAP_SYS_ADMIN'])
    const alone = under(needed)
    if (!LACKING.includes(alone)) outcomes[name] = [alone, under(permitted & ~needed & ~stands)]
  }
  return outcomes
}
