import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ERRNO } from '../linux/errno.ts'
import type { HostItem, HostSource } from './host-source.ts'
import { isAtLeast } from './host-source.ts'
import { HOST_GROUPS, hostInfo, hostItems } from './host.ts'

const KINDS = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts']

const status = (capabilities: string, more = ''): string =>
  `Name:\tnode\nCapInh:\t0000000000000000\nCapPrm:\t${capabilities}\nCapEff:\t${capabilities}\nCapBnd:\t${capabilities}\nCapAmb:\t0000000000000000\n${more}`

/** A current distribution as root sees it: everything is there. */
const FILES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(KINDS.map((kind) => [`/proc/self/ns/${kind}`, ''])),
  ...Object.fromEntries(KINDS.map((kind) => [`/proc/sys/user/max_${kind}_namespaces`, '60000\n'])),
  '/proc/self/status': status('000001ffffffffff', 'NoNewPrivs:\t0\nSeccomp:\t0\n'),
  '/proc/sys/kernel/cap_last_cap': '40\n',
  '/proc/self/mountinfo': '30 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  '/proc/self/cgroup': '0::/user.slice/user-1000.slice/user@1000.service/app\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/sys/fs/cgroup/system.slice/memory.swap.max': 'max\n',
  '/proc/filesystems': 'nodev\tproc\nnodev\toverlay\n',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process kill_thread trap errno user_notif trace log allow\n',
  '/sys/kernel/security/lsm': 'lockdown,capability,landlock,yama,apparmor\n',
  '/proc/sys/kernel/keys/root_maxkeys': '1000000\n',
  '/dev/fuse': '',
  '/dev/net/tun': '',
  '/usr/bin/newuidmap': '',
  '/usr/bin/newgidmap': '',
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n',
  '/etc/subuid': 'ann:100000:65536\n',
  '/etc/subgid': '1000:100000:65536\n',
}

type Change = Partial<HostSource> & { readonly files?: Readonly<Record<string, string | undefined>> }

const host = ({ files = {}, ...rest }: Change = {}): HostSource => {
  const all: Readonly<Record<string, string | undefined>> = { ...FILES, ...files }
  return {
    uid: 0,
    arch: 'x64',
    node: '22.12.0',
    release: '6.12.9-arch1',
    path: ['/usr/local/bin', '/usr/bin'],
    read: (path) => all[path],
    exists: (path) => all[path] !== undefined,
    writable: () => true,
    privileged: () => true,
    probe: (name) => (name === 'landlock_create_ruleset' ? 6 : -(ERRNO['EINVAL'] ?? 0)),
    ...rest,
  }
}

const USER = { uid: 1000, files: { '/proc/self/status': status('0000000000000000') } }

const find = (change: Change, id: string): HostItem => {
  const item = hostItems(host(change)).find((each) => each.id === id)
  assert.ok(item !== undefined, id)
  return item
}

const check = (change: Change, id: string, state: HostItem['state'], detail: RegExp, remedy?: RegExp): void => {
  const item = find(change, id)
  assert.equal(item.state, state, `${id}: ${item.detail}`)
  assert.match(item.detail, detail)
  if (remedy === undefined) assert.equal(item.remedy, undefined)
  else assert.match(item.remedy ?? '', remedy)
}

test('where everything is there, everything is yes and nothing is to be done', () => {
  const items = hostItems(host())
  assert.deepEqual(
    items.filter(({ state, remedy }) => state !== 'yes' || remedy !== undefined),
    [],
  )
  assert.equal(new Set(items.map(({ id }) => id)).size, items.length)
  assert.deepEqual([...new Set(items.map(({ group }) => group))], HOST_GROUPS)
})

test('versions compare as numbers', () => {
  assert.equal(isAtLeast('5.14.0-70.el9', 5, 14), true)
  assert.equal(isAtLeast('5.9.0', 5, 14), false)
  assert.equal(isAtLeast('6.0', 5, 14), true)
  assert.equal(isAtLeast('4.19', 5, 2), false)
})

test('old kernels, other machines, old Node', () => {
  check({ release: '5.10.0-28-amd64' }, 'kernel', 'no', /^5\.10/, /5\.14/)
  check({ arch: 'riscv64' }, 'architecture', 'no', /^riscv64$/, /arm64/)
  check({ node: '18.20.0' }, 'node', 'no', /^18/, /20\.19/)
  check({ release: '5.10.0' }, 'overlay', 'limited', /root only/, /5\.11/)
  check({ release: '5.15.0' }, 'idmapped-mounts', 'yes', /^of ext4, vfat, xfs, btrfs$/)
})

test('the switches that keep ordinary users from user namespaces', () => {
  const id = 'user-namespaces'
  const set = (path: string, value: string | undefined): Change => ({ files: { [path]: value } })
  check(set('/proc/self/ns/user', undefined), id, 'no', /not in this kernel/, /CONFIG_USER_NS/)
  check(set('/proc/sys/user/max_user_namespaces', '0\n'), id, 'no', /is 0/, /sysctl -w user\.max_user_namespaces=/)
  check(set('/proc/sys/kernel/unprivileged_userns_clone', '0\n'), id, 'no', /is 0/, /unprivileged_userns_clone=1/)
  const apparmor = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'
  check(set(apparmor, '1\n'), id, 'limited', /AppArmor/, /"userns,"/)
  check(set(apparmor, '0\n'), id, 'yes', /at most 60000/)
  check(
    set('/proc/sys/user/max_net_namespaces', '0\n'),
    'namespace-limits',
    'no',
    /^user\.max_net_namespaces is 0$/,
    /sysctl/,
  )
  check(set('/proc/self/ns/time', undefined), 'time-namespaces', 'no', /not in this kernel/, /CONFIG_TIME_NS/)
})

test('a root that lacks a capability is told what fails', () => {
  const files = { '/proc/self/status': status('000001fffeffffff') }
  check(
    { files },
    'capabilities',
    'limited',
    /^root lacks CAP_SYS_RESOURCE \(hard resource limits/,
    /service or container/,
  )
  check(USER, 'capabilities', 'limited', /rootless/, /root/)
})

test('what maps ids for an ordinary user', () => {
  check(USER, 'subordinate-ids', 'yes', /^65536 user ids \(\/etc\/subuid\), 65536 group ids \(\/etc\/subgid\) for ann$/)
  const none = { uid: 1000, files: { ...USER.files, '/etc/subgid': undefined } }
  check(none, 'subordinate-ids', 'no', /, 0 group ids/, /usermod .* ann/)
  const few = { uid: 1000, files: { ...USER.files, '/etc/subuid': 'ann:5:10\nbob:100:65536\n1000:20:3\n' } }
  check(few, 'subordinate-ids', 'limited', /^13 user ids/, /usermod/)
  check({ files: { '/usr/bin/newgidmap': undefined } }, 'id-mapping-programs', 'no', /: newgidmap$/, /uidmap/)
  check(
    { privileged: (path) => !path.endsWith('newuidmap') },
    'id-mapping-programs',
    'no',
    /set-user-id/,
    /^chmod u\+s \/usr\/bin\/newuidmap$/,
  )
})

test('version 1, side by side with 2, and no cgroups', () => {
  const v1 = {
    '/proc/self/mountinfo': '31 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n',
    '/proc/self/cgroup': '4:memory:/a\n',
  }
  check({ files: v1 }, 'cgroup-layout', 'limited', /^version 1, 1 hierarchies/, /unified/)
  check({ files: v1 }, 'cgroup-memory', 'yes', /^version 1 at \/sys\/fs\/cgroup\/memory$/)
  check({ files: v1 }, 'cgroup-pids', 'no', /no mounted hierarchy has pids/, /mount -t cgroup -o pids/)
  check({ files: v1 }, 'cgroup-kill', 'no', /no cgroup\.kill/, /one|process/)
  check({ files: v1 }, 'swap-accounting', 'no', /not accounted/, /swapaccount=1/)
  const off = { ...v1, '/proc/cgroups': '#subsys_name\thierarchy\tnum_cgroups\tenabled\npids\t0\t1\t0\n' }
  check({ files: off }, 'cgroup-pids', 'no', /switched off/, /cgroup_enable=pids/)
  check(
    { ...USER, files: { ...USER.files, ...v1 }, writable: () => false },
    'cgroup-delegation',
    'no',
    /version 1/,
    /root/,
  )
  const hybrid = {
    '/proc/self/mountinfo': `${v1['/proc/self/mountinfo']}40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n`,
  }
  check({ files: hybrid }, 'cgroup-layout', 'limited', /side by side, 2 hierarchies/, /unified/)
  check({ files: { '/proc/self/mountinfo': '' } }, 'cgroup-layout', 'no', /none is mounted/, /mount -t cgroup2/)
  check({ writable: () => false }, 'cgroup-delegation', 'no', /^read-only: /, /remount/)
})

test('a controller that version 2 lacks has nowhere to be mounted from', () => {
  const files = { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids\n' }
  check({ files }, 'cgroup-io', 'no', /has blkio/, /^Use a kernel that has the controller\.$/)
})

test('what is delegated to an ordinary user', () => {
  const own = '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app'
  const files = { ...USER.files, [`${own}/cgroup.controllers`]: 'memory pids\n' }
  const user = { uid: 1000, files, writable: (path: string) => path.startsWith(own) }
  check(user, 'cgroup-delegation', 'yes', /user@1000\.service\/app$/)
  check(user, 'cgroup-memory', 'yes', /^version 2/)
  check(user, 'cgroup-cpu', 'no', /not delegated/, /Delegate=cpu/)
  check(user, 'cgroup-devices', 'limited', /BPF/, /Nothing to do/)
  check({ ...user, writable: () => false }, 'cgroup-memory', 'no', /may not be written/, /See cgroups/)
  const manager = '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service'
  check(
    { ...user, writable: (path) => path === manager },
    'cgroup-delegation',
    'limited',
    /outside/,
    /systemd-run --user/,
  )
  check({ ...user, writable: () => false }, 'cgroup-delegation', 'no', /may not write/, /systemd/)
})

test('calls that the kernel lacks or a filter refuses', () => {
  const refuse =
    (call: string, errno: string): HostSource['probe'] =>
    (name) =>
      -(ERRNO[name === call ? errno : 'EINVAL'] ?? 0)
  check({ probe: refuse('openat2', 'ENOSYS') }, 'openat2', 'no', /^missing: openat2 \(ENOSYS\)$/, /5\.6/)
  check({ probe: refuse('mount_setattr', 'ENOSYS') }, 'mount-api', 'limited', /mount_setattr/, /5\.12/)
  const filtered = { files: { '/proc/self/status': status('000001ffffffffff', 'NoNewPrivs:\t1\nSeccomp:\t2\n') } }
  check({ ...filtered, probe: refuse('pidfd_getfd', 'EPERM') }, 'pidfd', 'limited', /pidfd_getfd \(EPERM\)/, /filter/)
  check({ probe: refuse('pidfd_getfd', 'EPERM') }, 'pidfd', 'yes', /pidfd_getfd/)
  check(filtered, 'confinement', 'limited', /seccomp filter and no_new_privs/, /outside/)
  check({ files: { '/proc/sys/kernel/io_uring_disabled': '2\n' } }, 'io-uring', 'no', /^off$/, /sysctl/)
  check({ probe: refuse('landlock_create_ruleset', 'EOPNOTSUPP') }, 'landlock', 'no', /not switched on/, /lsm=/)
})

test('security modules are asked of the kernel where securityfs is not mounted', () => {
  const files = { '/sys/kernel/security/lsm': undefined }
  const probe: HostSource['probe'] = (name, ids) => {
    if (name !== 'lsm_list_modules') return -(ERRNO['EINVAL'] ?? 0)
    assert.ok(ids instanceof BigUint64Array)
    ids.set([108n, 100n, 104n, 999n])
    return 4
  }
  check({ files, probe }, 'lsm', 'yes', /^lockdown, capability, apparmor, 999$/)
  check({ files }, 'lsm', 'limited', /does not say/, /securityfs/)
})

test('a covered /proc, missing modules and devices', () => {
  const covered = {
    '/proc/self/mountinfo':
      '50 22 0:5 /null /proc/kcore rw - devtmpfs dev rw\n51 22 0:6 / /proc/sys/fs/binfmt_misc rw - autofs a rw\n',
  }
  check({ files: covered }, 'fresh-proc', 'limited', /^mounted over: \/proc\/kcore$/, /unmasked/)
  check({ files: { '/proc/filesystems': 'nodev\tproc\n' } }, 'overlay', 'no', /not in this kernel/, /modprobe overlay/)
  const modules = {
    '/proc/filesystems': '',
    '/lib/modules/6.12.9-arch1/modules.dep': 'kernel/fs/overlayfs/overlay.ko.zst:\n',
  }
  check({ files: modules }, 'overlay', 'yes', /user namespaces/)
  check({ files: { '/dev/fuse': undefined } }, 'fuse', 'no', /missing/, /modprobe fuse/)
  check({ ...USER, writable: () => false }, 'tun', 'no', /may not be opened/, /chmod/)
})

test('this host can be looked at, whatever it is', () => {
  const items = hostInfo()
  assert.deepEqual(
    items.map(({ id }) => id),
    hostItems(host()).map(({ id }) => id),
  )
  for (const { id, state, detail } of items) {
    assert.ok(['yes', 'no', 'limited'].includes(state), id)
    assert.notEqual(detail, '', id)
  }
})
