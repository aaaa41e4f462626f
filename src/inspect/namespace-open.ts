import { fstatSync } from 'node:fs'

import { O_CLOEXEC, O_NONBLOCK, O_PATH, O_RDONLY } from '../linux/fcntl.ts'
import { kernelDevice } from '../linux/device-number.ts'
import { TareError } from '../linux/error.ts'
import { knownFileStatus } from '../linux/file-status.ts'
import { openNamespaceOfPidfd } from '../linux/namespace.ts'
import type { NamespaceLink } from '../linux/namespace.ts'
import {
  encodeOpenHow,
  OPEN_HOW_SIZE,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../linux/open-how.ts'
import { trySyscall } from '../linux/syscall.ts'
import type { Place } from './namespace-survey.ts'

/**
 * How to look up a path in somebody else's mounts: not out of his root, and without ever asking a file system, which may
 * be one of his that doesn't answer (FUSE). What a mount lies on is in the kernel's cache of names.
 */
const BENEATH_ROOT = encodeOpenHow({
  flags: O_PATH | O_CLOEXEC,
  resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
})

const GONE = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM']

/** Calls back with a descriptor unless opening it failed (which is a negative number), and closes it afterwards. */
export const withDescriptor = <T>(fd: number, use: (fd: number) => T): T | undefined => {
  if (fd < 0) return undefined
  try {
    return use(fd)
  } finally {
    trySyscall('close', fd)
  }
}

/** The inode of an open file. */
export const inodeOf = (fd: number): number => fstatSync(fd).ino

/** By a pidfd; -1 where the process has ended, may not be traced, or this kernel tells of no such namespace. */
const openByPidfd = (pid: number, link: NamespaceLink): number =>
  withDescriptor(trySyscall('pidfd_open', pid, 0), (pidfd) => {
    try {
      return openNamespaceOfPidfd(pidfd, link)
    } catch (error) {
      if (error instanceof TareError && GONE.includes(error.code)) return -1
      throw error
    }
  }) ?? -1

/** Opens what a descriptor with O_PATH stands for, if it is the namespace; nothing else is ever opened. */
const openIfNamespace = (path: number, inode: number, nsfs: number): number => {
  // Something else may have come there meanwhile, of a file system that doesn't answer.
  const { inode: found, device } = knownFileStatus(path)
  if (Number(found) !== inode || kernelDevice(device) !== nsfs) return -1
  return trySyscall('openat', -1, `/proc/self/fd/${path}`, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
}

/**
 * A descriptor of the namespace of this inode from where it was seen; negative where it is no longer to be had there.
 * `proc` is a descriptor of /proc, `nsfs` the number of the device that namespaces' files lie on.
 */
export const openNamespaceAt = (place: Place, inode: number, proc: number, nsfs: number): number => {
  if (place.at === 'pidfd') return openByPidfd(place.pid, place.link)
  if (place.at === 'link') return trySyscall('openat', proc, place.path, O_RDONLY | O_CLOEXEC)
  if (place.at === 'descriptor') {
    const path = trySyscall('openat', proc, place.path, O_PATH | O_CLOEXEC)
    return withDescriptor(path, (fd) => openIfNamespace(fd, inode, nsfs)) ?? -1
  }
  const root = trySyscall('openat', proc, place.root, O_PATH | O_CLOEXEC)
  return (
    withDescriptor(root, (directory) => {
      const path = trySyscall('openat2', directory, place.path, BENEATH_ROOT, OPEN_HOW_SIZE)
      return withDescriptor(path, (fd) => openIfNamespace(fd, inode, nsfs))
    }) ?? -1
  )
}
