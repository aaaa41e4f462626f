import { InputError } from '../linux/error.ts'
import type { SystemTree } from './system-tree.ts'

/** The first program of a system, which starts all others, by how it is told to stop. */
export type InitKind = 'systemd' | 'busybox' | 'openrc' | 'runit' | 'sysvinit' | 'other'

export interface Init {
  /** Absolute path in the system. */
  readonly path: string
  readonly kind: InitKind
}

/** Where the kernel looks for it, and systemd by itself. */
const PLACES: readonly string[] = ['/sbin/init', '/etc/init', '/bin/init', '/usr/lib/systemd/systemd']

/** By the name of the program that a link called init leads to. */
const KINDS: Readonly<Record<string, InitKind>> = {
  systemd: 'systemd',
  busybox: 'busybox',
  'openrc-init': 'openrc',
  'runit-init': 'runit',
  runit: 'runit',
}

/** Sysvinit is a program called init; it goes by its inittab(5). */
const kindOf = (tree: SystemTree, name: string): InitKind =>
  KINDS[name] ?? (name === 'init' && tree.find('/etc/inittab')?.type === 'file' ? 'sysvinit' : 'other')

/** The init of a system. `path`: another program than the one that is found. Throws {@link InputError} if it isn't there. */
export const findInit = (tree: SystemTree, path?: string): Init => {
  for (const place of path === undefined ? PLACES : [path]) {
    const found = tree.find(place)
    if (found?.type === 'file' && found.executable) return { path: place, kind: kindOf(tree, found.name) }
  }
  if (path !== undefined)
    throw new InputError({
      operation: 'boot',
      target: tree.path,
      reason: `there is no program ${path} in it`,
      hint: 'It is an absolute path in the system.',
    })
  throw new InputError({
    operation: 'boot',
    target: tree.path,
    reason: 'there is no init in it',
    hint: 'Install one in it (package systemd-sysv), or use it without: tare shell DIR.',
  })
}
