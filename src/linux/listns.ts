import { O_CLOEXEC, O_RDONLY } from './fcntl.ts'
import { trySyscall } from './syscall.ts'

/** linux/nsfs.h: `struct ns_id_req`, version 0. */
const REQUEST_SIZE = 32
const AT_ID = 8

/** linux/fcntl.h, linux/exportfs.h: the file system of namespaces, and the sort of its file handles. */
const FD_NSFS_ROOT = -10_003
const FILEID_NSFS = 0xf1
const HANDLE_HEADER = 8
const HANDLE_SIZE = 16

const BATCH = 512

/** The ids that never are given again of all namespaces that this thread may know; undefined before Linux 6.19. */
const namespaceIds = (): readonly bigint[] | undefined => {
  const request = new DataView(new ArrayBuffer(REQUEST_SIZE))
  request.setUint32(0, REQUEST_SIZE, true)
  const batch = new BigUint64Array(BATCH)
  const ids: bigint[] = []
  for (;;) {
    const count = trySyscall('listns', request, batch, BATCH, 0)
    if (count < 0) return ids.length === 0 ? undefined : ids
    ids.push(...batch.subarray(0, count))
    if (count < BATCH) return ids
    request.setBigUint64(AT_ID, batch[count - 1] ?? 0n, true)
  }
}

/** A file handle needs no more of a namespace than its id. open_by_handle_at(2) */
const openById = (id: bigint): number => {
  const handle = new DataView(new ArrayBuffer(HANDLE_HEADER + HANDLE_SIZE))
  handle.setUint32(0, HANDLE_SIZE, true)
  handle.setUint32(4, FILEID_NSFS, true)
  handle.setBigUint64(HANDLE_HEADER, id, true)
  return trySyscall('open_by_handle_at', FD_NSFS_ROOT, handle, O_RDONLY | O_CLOEXEC)
}

/**
 * Calls back with a descriptor of every namespace that the kernel lists to this thread: those that are in use, by a
 * process or a file, and that it has CAP_SYS_ADMIN over or is in itself. The descriptor is closed when the callback
 * returns. False, and nothing called, before Linux 6.19. listns(2)
 */
export const eachNamespace = (callback: (fd: number) => void): boolean => {
  const ids = namespaceIds()
  if (ids === undefined) return false
  for (const id of ids) {
    const fd = openById(id)
    if (fd < 0) continue
    try {
      callback(fd)
    } finally {
      trySyscall('close', fd)
    }
  }
  return true
}
