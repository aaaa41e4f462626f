import { resolve } from 'node:path'
import { InputError } from '../linux/error.ts'
import { directoryRoot } from '../rootfs/directory.ts'
import { hostRoot } from '../rootfs/host.ts'
import type { Rootfs } from '../rootfs/rootfs.ts'
import { systemRoot } from '../rootfs/system.ts'
import { parseBytes } from '../runtime/units.ts'
import type { ContainerOptions } from './options.ts'
import { requireDirectory } from './resolve-mounts.ts'
import type { ResolvedUser } from './resolve-user.ts'

const DEFAULT_SIZE = 1 << 30

/** Where the root's own /etc/passwd is found. */
export const rootPath = (rootfs: ContainerOptions['rootfs']): string =>
  rootfs === undefined || rootfs === 'system' || rootfs === 'host' ? '/' : resolve(rootfs)

export const rootSize = (options: ContainerOptions): number =>
  options.rootSize === undefined ? DEFAULT_SIZE : parseBytes(options.rootSize, 'rootSize')

/** The root file system that the options name, checked. `nameServers`: its /etc/resolv.conf, where it is made anew. */
export const resolveRoot = (
  options: ContainerOptions,
  user: ResolvedUser,
  hostname: string,
  privileged: boolean,
  nameServers: string | undefined,
): Rootfs => {
  const { rootfs = 'system', overlay } = options
  const size = rootSize(options)
  const kept = typeof overlay === 'string' ? requireDirectory(overlay, 'the directory of changes') : undefined
  if (rootfs === 'system') {
    if (overlay !== undefined)
      throw new InputError({
        operation: 'use overlay',
        reason: 'the system root is made anew each time, and has nothing below',
        hint: 'Choose another rootfs.',
      })
    return systemRoot({ user, hostname, nameServers, size })
  }
  if (rootfs === 'host') {
    if (overlay === false)
      throw new InputError({
        operation: 'use rootfs host without overlay',
        reason: 'the container could change the host',
        hint: 'Leave overlay out.',
      })
    return hostRoot({ kept, size, privileged })
  }
  const path = requireDirectory(rootfs, 'the root')
  return directoryRoot({ path, overlay: overlay === true || kept !== undefined, kept, size })
}
