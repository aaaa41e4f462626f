import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { InputError } from '../linux/error.ts'
import type { SystemTree } from '../rootfs/system-tree.ts'
import { withTree } from '../rootfs/system-tree.ts'
import { checkOptions } from './check-options.ts'
import type { Login } from './login.ts'
import { findLogin } from './login.ts'
import type { MountOption, RunOptions } from './options.ts'
import { CONTAINER_OPTIONS, PROGRAM_OPTIONS } from './options.ts'
import { Program } from './program.ts'
import { resolvConfPath } from './resolve-network.ts'
import { runParts } from './run.ts'
import { startHeld } from './system-lock.ts'
import { checkSystem, systemIds } from './system.ts'

/** What a shell in a system is like: as for {@link run}, but for its root and what a login has. */
export interface ShellOptions extends Omit<RunOptions, 'rootfs' | 'overlay' | 'argv0'> {
  /** Changes go to memory, `rootSize` at most, and are gone with the shell. Default false: they are kept. */
  readonly ephemeral?: boolean
  /** The kind of the caller's terminal, its `TERM`: used where the system knows it, else `xterm`. */
  readonly term?: string | undefined
}

const SHELL_OPTIONS: readonly string[] = [
  ...[...CONTAINER_OPTIONS, ...PROGRAM_OPTIONS].filter((name) => !['rootfs', 'overlay', 'argv0'].includes(name)),
  'ephemeral',
  'term',
]

const RESOLV_CONF = '/etc/resolv.conf'
/** Where systems keep the descriptions of terminals (terminfo(5)). */
const TERMINFO = ['/etc/terminfo', '/lib/terminfo', '/usr/share/terminfo', '/usr/lib/terminfo'] as const
/** Where they keep the language: systemd's locale.conf(5), and Debian's. */
const LOCALES = ['/etc/locale.conf', '/etc/default/locale'] as const

/** A host name made of a path's last part. */
export const nameFrom = (path: string): string =>
  basename(path)
    .replace(/[^A-Za-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '') || 'tare'

/** The kind of terminal, by a name that programs in the system find in its terminfo. */
const terminalKind = (tree: SystemTree, term: string | undefined): string => {
  if (term === undefined || !/^[\w][\w.+-]*$/.test(term)) return 'xterm'
  return TERMINFO.some((directory) => tree.find(`${directory}/${term[0]}/${term}`)?.type === 'file') ? term : 'xterm'
}

/** `LANG` of the system's own settings; else what every C library since 2022 has. */
const language = (tree: SystemTree): string => {
  for (const path of LOCALES) {
    const [, value] = /^\s*LANG=["']?([\w.@-]+)["']?\s*$/m.exec(tree.read(path) ?? '') ?? []
    if (value !== undefined) return value
  }
  return 'C.UTF-8'
}

/** The shell of a login. Throws {@link InputError} where the system hasn't got it. */
const loginShell = (tree: SystemTree, { name, shell }: Login): string => {
  const found = shell.startsWith('/') ? tree.find(shell) : undefined
  if (found?.type === 'file' && found.executable) return shell
  throw new InputError({
    operation: `run the shell of ${name} in ${tree.path}`,
    reason: `it is ${JSON.stringify(shell)}, and there is no such program`,
    hint: 'Name a program that it has: tare shell DIR -- PROGRAM.',
  })
}

/** What a system has besides its own files, whatever starts in it. */
export const systemMounts = (tree: SystemTree, network: RunOptions['network']): readonly MountOption[] => {
  const run: MountOption = { type: 'tmpfs', target: '/run', mode: 0o755 }
  // Of the host's files this one alone: without it there is no name service in the host's network.
  const target = network === 'host' && existsSync(RESOLV_CONF) ? resolvConfPath(tree) : undefined
  return target === undefined ? [run] : [run, { source: RESOLV_CONF, target, readOnly: true, idmap: false }]
}

/** What {@link run} takes to do this in a system: the command, or else the login shell. */
export const systemRun = (
  tree: SystemTree,
  command: readonly string[],
  options: ShellOptions,
): { readonly command: readonly string[]; readonly options: RunOptions } => {
  checkOptions(options, SHELL_OPTIONS)
  checkSystem(tree)
  const { ephemeral = false, term, env, mounts = [], ...rest } = options
  const login = findLogin(tree, String(options.user ?? 'root').split(':')[0] ?? '')
  const shell = command.length > 0 ? undefined : loginShell(tree, login)
  const own = options.userns ?? options.uidMappings ?? options.gidMappings
  const tty = options.tty !== undefined && options.tty !== false
  return {
    command: shell === undefined ? command : [shell],
    options: {
      hostname: nameFrom(tree.path),
      workdir: login.home.startsWith('/') && tree.find(login.home)?.type === 'directory' ? login.home : '/',
      noNewPrivileges: false,
      ...(own === undefined ? systemIds(tree) : {}),
      ...rest,
      rootfs: tree.path,
      ...(ephemeral ? { overlay: true } : {}),
      ...(shell === undefined ? {} : { argv0: `-${basename(shell)}` }),
      mounts: [...systemMounts(tree, options.network), ...mounts],
      env: {
        HOME: login.home,
        SHELL: login.shell,
        USER: login.name,
        LOGNAME: login.name,
        LANG: language(tree),
        ...(tty ? { TERM: terminalKind(tree, term) } : {}),
        ...env,
      },
    },
  }
}

/**
 * Runs a command, or root's login shell (or that of `user`), in the system that a directory holds, without the system's
 * own init: as in single-user mode. What it changes is kept, unless `ephemeral`. It is a container with all walls but
 * one: set-user-id programs of the system work in it (`noNewPrivileges: true` takes that away).
 *
 * As root the tree belongs to root; as an ordinary user to the caller, or to its subordinate ids. Host name, home,
 * `LANG` and `TERM` are the system's, as a login has them. With `network: 'host'` the host's /etc/resolv.conf is there.
 *
 * Rejects as {@link run} does, and with {@link InputError} for a directory without a system or a user that it hasn't,
 * and for a system that its own init has booted.
 *
 * @example
 * ```ts
 * const { stdout } = await shell('./box', ['dpkg', '--list'], { ephemeral: true })
 * ```
 */
export const shell = (directory: string, command: readonly string[] = [], options: ShellOptions = {}): Program =>
  new Program(() => {
    const wanted = withTree(directory, (tree) => systemRun(tree, command, options))
    const parts = runParts(wanted.command, wanted.options, undefined)
    return { ...parts, start: () => startHeld(directory, 'shell', parts.start) }
  })
