import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from '../fcntl.ts'
import { trySyscall } from '../syscall.ts'

// bpf(2), linux/bpf.h.
const BPF_PROG_QUERY = 16
const BPF_CGROUP_DEVICE = 6
const BPF_F_QUERY_EFFECTIVE = 1

/**
 * How many programs decide which devices the processes of a group of version 2 (an absolute directory) may use: its own
 * and those of the groups above. What they allow can't be told. Undefined where that may not be asked: it takes
 * CAP_NET_ADMIN or CAP_BPF outside any user namespace. bpf(2)
 */
export const countDevicePrograms = (directory: string): number | undefined => {
  const group = trySyscall('openat', AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
  if (group < 0) return undefined
  const query = new DataView(new ArrayBuffer(64))
  query.setUint32(0, group, true)
  query.setUint32(4, BPF_CGROUP_DEVICE, true)
  query.setUint32(8, BPF_F_QUERY_EFFECTIVE, true)
  const result = trySyscall('bpf', BPF_PROG_QUERY, query, query.byteLength)
  trySyscall('close', group)
  return result < 0 ? undefined : query.getUint32(24, true)
}
