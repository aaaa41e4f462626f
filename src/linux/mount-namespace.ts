import { closeSync } from 'node:fs'

import { trySyscall } from './syscall.ts'

/** linux/nsfs.h, Linux 6.11: the mount namespace after this one, or before it. */
const NS_MNT_GET_NEXT = 0x80_10_b7_0b
const NS_MNT_GET_PREV = 0x80_10_b7_0c

/**
 * Calls back with a descriptor of every mount namespace but the one given that this thread has CAP_SYS_ADMIN over,
 * also of those that no process is in. The descriptor is closed when the callback returns. Before Linux 6.11 there
 * are none to be found. ioctl_nsfs(2)
 */
export const eachMountNamespace = (from: number, callback: (fd: number) => void): void => {
  for (const request of [NS_MNT_GET_NEXT, NS_MNT_GET_PREV]) {
    let current = trySyscall('ioctl', from, request, 0)
    while (current >= 0) {
      try {
        callback(current)
      } catch (error) {
        closeSync(current)
        throw error
      }
      const next = trySyscall('ioctl', current, request, 0)
      closeSync(current)
      current = next
    }
  }
}
