import { trySyscall } from './syscall.ts'

/** linux/nsfs.h, Linux 6.11: the id of a mount namespace. */
const NS_GET_MNTNS_ID = 0x80_08_b7_05

/** linux/mount.h: `struct mnt_id_req`, version 1, which names a mount namespace (Linux 6.11). */
const REQUEST_SIZE = 32
const [AT_MOUNT, AT_PARAMETER, AT_NAMESPACE] = [8, 16, 24]

/** Instead of a mount: the root of the namespace, for all that is below it. */
const LSMT_ROOT = 0xffff_ffff_ffff_ffffn

const STATMOUNT_SB_BASIC = 0x1n
const STATMOUNT_MNT_ROOT = 0x8n
const STATMOUNT_MNT_POINT = 0x10n
const WANTED = STATMOUNT_SB_BASIC | STATMOUNT_MNT_ROOT | STATMOUNT_MNT_POINT

/** `struct statmount`: where in it the fields are, and where the texts begin. */
const [AT_MASK, AT_MAGIC, AT_ROOT, AT_POINT, TEXTS] = [8, 24, 104, 108, 512]

/** Room for two paths of the greatest length. */
const ANSWER_SIZE = TEXTS + 2 * 4096

const BATCH = 512

/** What is told of a mount. */
export interface StatMount {
  /** The sort of its file system: a number of linux/magic.h. */
  readonly magic: number
  /** The directory or file of the file system that is mounted; of a namespace's file `net:[4026531840]`. */
  readonly root: string
  /** Where, as seen from the root of the mount namespace. */
  readonly mountPoint: string
}

const textAt = (answer: Buffer, field: number): string => {
  const start = TEXTS + answer.readUInt32LE(field)
  return answer.toString('utf8', start, answer.indexOf(0, start))
}

/**
 * Calls back with every mount of a mount namespace, given by a descriptor; it takes no process that is in it, but
 * CAP_SYS_ADMIN over it. What can't be told, all of it before Linux 6.11, is left out. listmount(2), statmount(2)
 */
export const eachMountOf = (namespace: number, callback: (mount: StatMount) => void): void => {
  const id = new BigUint64Array(1)
  if (trySyscall('ioctl', namespace, NS_GET_MNTNS_ID, id) < 0) return
  const request = new DataView(new ArrayBuffer(REQUEST_SIZE))
  request.setUint32(0, REQUEST_SIZE, true)
  request.setBigUint64(AT_NAMESPACE, id[0] ?? 0n, true)
  const batch = new BigUint64Array(BATCH)
  const answer = Buffer.alloc(ANSWER_SIZE)
  let last = 0n
  for (;;) {
    request.setBigUint64(AT_MOUNT, LSMT_ROOT, true)
    request.setBigUint64(AT_PARAMETER, last, true)
    const count = trySyscall('listmount', request, batch, BATCH, 0)
    for (const mount of batch.subarray(0, Math.max(0, count))) {
      request.setBigUint64(AT_MOUNT, mount, true)
      request.setBigUint64(AT_PARAMETER, WANTED, true)
      if (trySyscall('statmount', request, answer, ANSWER_SIZE, 0) < 0) continue
      if ((answer.readBigUInt64LE(AT_MASK) & WANTED) !== WANTED) continue
      const magic = Number(answer.readBigUInt64LE(AT_MAGIC))
      callback({ magic, root: textAt(answer, AT_ROOT), mountPoint: textAt(answer, AT_POINT) })
    }
    if (count < BATCH) return
    last = batch[count - 1] ?? 0n
  }
}
