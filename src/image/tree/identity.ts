import { closeSync, ftruncateSync, fstatSync } from 'node:fs'
import { ERRNO } from '../../linux/errno.ts'
import { TareError } from '../../linux/error.ts'
import { O_DIRECTORY, O_NONBLOCK, O_PATH, O_WRONLY } from '../../linux/fcntl.ts'
import { RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '../../linux/open-how.ts'
import { tryOpenat2 } from '../../linux/openat2.ts'
import { removeIn } from './remove.ts'

const openWithin = (top: number, path: string, flags: number): number | undefined => {
  const fd = tryOpenat2(path, { flags, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }, top)
  if (fd >= 0) return fd
  // ENXIO: a fifo that nobody reads.
  if ([ERRNO['ENOENT'], ERRNO['ENOTDIR'], ERRNO['ELOOP'], ERRNO['ENXIO'], ERRNO['EISDIR']].includes(-fd))
    return undefined
  throw new TareError({ operation: 'open', target: path, syscall: 'openat2', errno: -fd })
}

/** What is there but once, by directory and name: systemd's seed of random numbers, and its key for credentials. */
const SECRETS = [
  ['var/lib/systemd', 'random-seed'],
  ['var/lib/systemd', 'credential.secret'],
] as const

/**
 * Takes from a system what tells it from all others: the machine id, which an empty file has the init make anew
 * (machine-id(5)), and secrets of systemd's that no two should share. Host keys and the like are the services' own, and stay.
 * `top` is an open directory.
 */
export const renewIdentity = (top: number): void => {
  const id = openWithin(top, 'etc/machine-id', O_WRONLY | O_NONBLOCK)
  if (id !== undefined)
    try {
      if (fstatSync(id).isFile()) ftruncateSync(id, 0)
    } finally {
      closeSync(id)
    }
  for (const [path, name] of SECRETS) {
    const directory = openWithin(top, path, O_PATH | O_DIRECTORY)
    if (directory === undefined) continue
    try {
      removeIn(directory, name, `${path}/${name}`)
    } finally {
      closeSync(directory)
    }
  }
}
