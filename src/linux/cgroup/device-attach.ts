import { TareError } from '../error.ts'
import { addressOf, syscall, trySyscall } from '../syscall.ts'
import { failedWith } from './file.ts'

// bpf(2), linux/bpf.h.
const BPF_PROG_LOAD = 5
const BPF_PROG_ATTACH = 8
const BPF_PROG_DETACH = 9
const BPF_PROG_GET_FD_BY_ID = 13
const BPF_OBJ_GET_INFO_BY_FD = 15
const BPF_PROG_QUERY = 16
const BPF_PROG_TYPE_CGROUP_DEVICE = 15
const BPF_CGROUP_DEVICE = 6
const BPF_F_ALLOW_MULTI = 2
const BPF_F_REPLACE = 4

const O_DIRECTORY_CLOEXEC = process.arch === 'arm64' ? 0o2040000 : 0o2200000
const AT_FDCWD = -100

/** By this name our own programs are known from those of systemd and others. */
const NAME = 'tare_devices'
/** Where struct bpf_prog_info has the name. */
const INFO_NAME = 64
/** BPF_MAX_PROGS of the kernel: as many programs can be attached to one group. */
const MOST_PROGRAMS = 64

const HINT =
  'Device rules of cgroup v2 need CAP_BPF (or CAP_SYS_ADMIN) outside any user namespace, and CONFIG_CGROUP_BPF.'

/** A union bpf_attr. */
const attributes = (size: number, fill: (view: DataView) => void): DataView => {
  const view = new DataView(new ArrayBuffer(size))
  fill(view)
  return view
}

const bpf = (command: number, view: DataView): number => trySyscall('bpf', command, view, view.byteLength)

const closeAll = (fds: readonly number[]): void => {
  for (const fd of fds) if (fd >= 0) trySyscall('close', fd)
}

const loadProgram = (program: Uint8Array): number => {
  const license = Buffer.from('Apache-2.0\0')
  const load = (log: Uint8Array | undefined): number =>
    bpf(
      BPF_PROG_LOAD,
      attributes(80, (view) => {
        view.setUint32(0, BPF_PROG_TYPE_CGROUP_DEVICE, true)
        view.setUint32(4, program.length / 8, true)
        view.setBigUint64(8, addressOf(program), true)
        view.setBigUint64(16, addressOf(license), true)
        if (log !== undefined) {
          view.setUint32(24, 1, true)
          view.setUint32(28, log.length, true)
          view.setBigUint64(32, addressOf(log), true)
        }
        for (const [index, letter] of [...NAME].entries()) view.setUint8(48 + index, letter.charCodeAt(0))
        view.setUint32(68, BPF_CGROUP_DEVICE, true)
      }),
    )
  const fd = load(undefined)
  if (fd >= 0) return fd
  const log = Buffer.alloc(16384)
  const again = failedWith(fd, 'EPERM') ? fd : load(log)
  if (again >= 0) return again
  const said = log.toString('latin1', 0, Math.max(log.indexOf(0), 0)).trim()
  const details = { operation: 'load the device program', syscall: 'bpf', errno: -again, hint: HINT }
  throw new TareError(said === '' ? details : { ...details, cause: new Error(said) })
}

/** Descriptors of the programs of ours that are attached to the group itself. */
const ourPrograms = (group: number): readonly number[] => {
  const ids = new Uint32Array(MOST_PROGRAMS)
  const query = attributes(64, (view) => {
    view.setUint32(0, group, true)
    view.setUint32(4, BPF_CGROUP_DEVICE, true)
    view.setBigUint64(16, addressOf(ids), true)
    view.setUint32(24, ids.length, true)
  })
  if (bpf(BPF_PROG_QUERY, query) < 0) return []
  const ours: number[] = []
  for (const id of ids.subarray(0, query.getUint32(24, true))) {
    const fd = bpf(
      BPF_PROG_GET_FD_BY_ID,
      attributes(12, (view) => view.setUint32(0, id, true)),
    )
    if (fd < 0) continue
    const info = Buffer.alloc(128)
    const known = bpf(
      BPF_OBJ_GET_INFO_BY_FD,
      attributes(16, (view) => {
        view.setUint32(0, fd, true)
        view.setUint32(4, info.length, true)
        view.setBigUint64(8, addressOf(info), true)
      }),
    )
    const name = info.toString('latin1', INFO_NAME, INFO_NAME + NAME.length + 1)
    if (known >= 0 && name === `${NAME}\0`) ours.push(fd)
    else trySyscall('close', fd)
  }
  return ours
}

const attach = (group: number, program: number, replaced: number | undefined): number =>
  bpf(
    BPF_PROG_ATTACH,
    attributes(20, (view) => {
      view.setUint32(0, group, true)
      view.setUint32(4, program, true)
      view.setUint32(8, BPF_CGROUP_DEVICE, true)
      view.setUint32(12, replaced === undefined ? BPF_F_ALLOW_MULTI : BPF_F_ALLOW_MULTI | BPF_F_REPLACE, true)
      view.setUint32(16, replaced ?? 0, true)
    }),
  )

const detach = (group: number, program: number): number =>
  bpf(
    BPF_PROG_DETACH,
    attributes(20, (view) => {
      view.setUint32(0, group, true)
      view.setUint32(4, program, true)
      view.setUint32(8, BPF_CGROUP_DEVICE, true)
    }),
  )

/**
 * Attaches a program of `assembleDeviceProgram` to a group of version 2 (an absolute directory). It takes the place of
 * the one that Tare attached before, in one step; programs of others stay, and must all agree too. It goes with the
 * group. Throws {@link TareError} (bpf(2)).
 */
export const attachDeviceProgram = (directory: string, program: Uint8Array): void => {
  const group = syscall({ operation: 'open', target: directory }, 'openat', AT_FDCWD, directory, O_DIRECTORY_CLOEXEC, 0)
  let loaded = -1
  let old: readonly number[] = []
  try {
    loaded = loadProgram(program)
    old = ourPrograms(group)
    const result = attach(group, loaded, old[0])
    if (result < 0) {
      throw new TareError({
        operation: 'attach the device program to',
        target: directory,
        syscall: 'bpf',
        errno: -result,
        hint: HINT,
      })
    }
    for (const more of old.slice(1)) detach(group, more)
  } finally {
    closeAll([group, loaded, ...old])
  }
}
