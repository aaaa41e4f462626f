import { inittabEntries } from './inittab.ts'
import type { InitKind } from './init.ts'
import type { SystemTree } from './system-tree.ts'

/**
 * Where a system asks for a login: at /dev/console, or at /dev/tty1, the first screen of a machine. `none`: at neither.
 * `unknown`: its init is one whose settings we can't read.
 */
export type ConsoleLogin = 'console' | 'tty1' | 'none' | 'unknown'

const TERMINALS = ['console', 'tty1'] as const

/** Directories of runit with a directory, or a link to one, for each service that is on: Debian's and Void's, Alpine's. */
const RUNIT_SERVICES = ['/etc/runit/runsvdir/default', '/etc/service', '/var/service', '/service'] as const

/** Those of OpenRC, by the name of its template. */
const OPENRC_RUNLEVELS = ['/etc/runlevels/default', '/etc/runlevels/boot', '/etc/runlevels/sysinit'] as const

/** What each kind of init reads; true if it has a login on that terminal. */
const asksAt = (tree: SystemTree, kind: InitKind, terminal: (typeof TERMINALS)[number]): boolean => {
  const isThere = (path: string): boolean => tree.find(path) !== undefined
  switch (kind) {
    case 'runit':
      return RUNIT_SERVICES.some((directory) =>
        ['getty', 'agetty'].some((getty) => isThere(`${directory}/${getty}-${terminal}`)),
      )
    case 'openrc':
      return OPENRC_RUNLEVELS.some((directory) =>
        ['agetty', 'getty'].some((getty) => isThere(`${directory}/${getty}.${terminal}`)),
      )
    default:
      return inittabEntries(tree).some(
        ({ id, action, process }) =>
          ['respawn', 'askfirst', 'once', 'wait'].includes(action) &&
          (/(?:getty|login)\b/.test(process)
            ? new RegExp(`\\b${terminal}\\b`).test(process)
            : // A shell, mostly: busybox runs it on the terminal that the first field names, by default the console.
              kind === 'busybox' && ['respawn', 'askfirst'].includes(action) && (id || 'console') === terminal),
      )
  }
}

/** Where somebody in front of the console of a system finds its login. */
export const consoleLogin = (tree: SystemTree, kind: InitKind): ConsoleLogin => {
  // Its console-getty.service is on in every container.
  if (kind === 'systemd') return 'console'
  if (kind === 'other') return 'unknown'
  // Busybox asks there where nothing tells it what to do.
  if (kind === 'busybox' && tree.find('/etc/inittab') === undefined) return 'console'
  return TERMINALS.find((terminal) => asksAt(tree, kind, terminal)) ?? 'none'
}
