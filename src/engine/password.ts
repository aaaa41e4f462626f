import { Buffer } from 'node:buffer'
import { InputError, TareError } from '../linux/error.ts'
import type { SystemTree, TreeFile } from '../rootfs/system-tree.ts'
import { withTree } from '../rootfs/system-tree.ts'
import { checkOptions } from './check-options.ts'
import type { Login } from './login.ts'
import { findAccount } from './login.ts'
import { Program } from './program.ts'
import { runParts } from './run.ts'
import { systemRun } from './shell.ts'
import { checkSystem } from './system.ts'

/** A password: text, or the very bytes that will be typed at a login. */
export type Password = string | Uint8Array

/** Whose password. */
export interface PasswordOptions {
  /** A name or an id of the system's own. Default root. */
  readonly user?: string
  /** Aborted, the program that does it is killed, and the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** What crypt(3) and PAM take (CRYPT_MAX_PASSPHRASE_SIZE, PAM_MAX_RESP_SIZE), in bytes. */
const LONGEST = 511
const NEWLINE = 10

const DIRECTORIES = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'] as const

/** A program of the system, and what it reads from its standard input. */
interface Tool {
  readonly command: readonly string[]
  readonly input: Uint8Array
}

interface Found {
  readonly path: string
  readonly isBusybox: boolean
}

const findProgram = (tree: SystemTree, name: string): Found | undefined => {
  const busybox = tree.find('/bin/busybox')
  // Alpine's set-user-id half of it is bbsuid.
  const isBusybox = (file: TreeFile): boolean => /^(?:busybox|bbsuid)/.test(file.name) || file.inode === busybox?.inode
  for (const directory of DIRECTORIES) {
    const path = `${directory}/${name}`
    const file = tree.find(path)
    if (file?.type === 'file' && file.executable) return { path, isBusybox: isBusybox(file) }
  }
  return undefined
}

const lacks = (tree: SystemTree, operation: string, what: string, hint: string): InputError =>
  new InputError({ operation: `${operation} in ${tree.path}`, reason: `the system has ${what}`, hint })

const INSTALL = 'Install one in there first: the package passwd, shadow or shadow-utils, or busybox with passwd.'

/**
 * chpasswd(8) of the shadow suite hashes as the system's own settings say; busybox is told how, as by itself it may take
 * the DES of 1976. Where it has no chpasswd it has mostly passwd, which reads the password twice.
 */
const setter = (tree: SystemTree, { name }: Login, password: Uint8Array): Tool => {
  const newline = Uint8Array.of(NEWLINE)
  const line = Buffer.concat([Buffer.from(`${name}:`), password, newline])
  const chpasswd = findProgram(tree, 'chpasswd')
  if (chpasswd !== undefined)
    return { command: [chpasswd.path, ...(chpasswd.isBusybox ? ['-c', 'sha512'] : [])], input: line }
  const passwd = findProgram(tree, 'passwd')
  if (passwd?.isBusybox !== true) throw lacks(tree, 'set a password', 'no chpasswd', INSTALL)
  return {
    command: [passwd.path, '-a', 'sha512', '--', name],
    input: Buffer.concat([password, newline, password, newline]),
  }
}

/** passwd(1) has the same letters in the shadow suite and in busybox. */
const changer =
  (option: '-l' | '-u' | '-d', operation: string) =>
  (tree: SystemTree, { name }: Login): Tool => {
    const passwd = findProgram(tree, 'passwd')
    if (passwd === undefined) throw lacks(tree, operation, 'no passwd', INSTALL)
    return { command: [passwd.path, option, '--', name], input: new Uint8Array() }
  }

const checkPassword = (password: Password): Uint8Array => {
  const bytes = Buffer.from(password)
  const refuse = (reason: string, hint?: string): InputError =>
    new InputError({ operation: 'use this password', reason, hint })
  if (bytes.length === 0) throw refuse('it is empty', 'To log in without one is another matter: delete it.')
  if (bytes.length > LONGEST) throw refuse(`it is longer than ${LONGEST} bytes`)
  if (bytes.some((byte) => byte < 32 || byte === 127))
    throw refuse('it has a control character', 'It could not be typed at a login.')
  return bytes
}

/** The account, if its password can be changed at all. */
const checkAccount = (tree: SystemTree, user: string): Login => {
  checkSystem(tree)
  const account = findAccount(tree, user)
  if (account.password === 'x' && tree.find('/etc/shadow') === undefined)
    throw lacks(
      tree,
      `change the password of ${account.name}`,
      'no /etc/shadow, where /etc/passwd says it is',
      `Make it first: tare shell ${tree.path} -- pwconv`,
    )
  return account
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1)?.trim() ?? ''

/** Runs a program of the system's own in a container of the system's, where nothing of the host is in reach. */
const change = async (
  directory: string,
  { signal }: PasswordOptions,
  account: Login,
  operation: string,
  tool: (tree: SystemTree, account: Login) => Tool,
): Promise<void> => {
  const program = new Program(() => {
    const { command, options } = withTree(directory, (tree) => {
      const { command: words, input } = tool(tree, account)
      return systemRun(tree, words, {
        stdin: input,
        noNewPrivileges: true,
        timeout: '1m',
        env: { LANG: 'C' },
        ...(signal === undefined ? {} : { signal }),
      })
    })
    return runParts(command, options, undefined)
  })
  const { exitCode, stderr, stdout, timedOut } = await program
  if (exitCode === 0) return
  throw new TareError({
    operation,
    target: `${account.name} in ${directory}`,
    reason: timedOut
      ? 'the program of the system that does it did not end within a minute'
      : lastLine(stderr) || lastLine(stdout) || 'the program of the system that does it failed, and does not say why',
  })
}

const OPTIONS: readonly string[] = ['user', 'signal']

const prepare = (directory: string, options: PasswordOptions): Login => {
  checkOptions(options, OPTIONS)
  return withTree(directory, (tree) => checkAccount(tree, options.user ?? 'root'))
}

/**
 * Sets the password of a user in the system that a directory holds. The system's own chpasswd(8), or passwd(1) of
 * busybox, does it, in a container without network where nothing of the host is in reach; so the hash is of the kind
 * that the system's settings ask for. It reads the password from a pipe: it stands in no argument, environment or file.
 *
 * `password` may be a function, which is called once it is known that the user is there.
 *
 * Rejects with {@link InputError} for a directory without a system, a user that it hasn't, a password that could not be
 * typed, or a system without such a program; with {@link TareError} where that program fails, in its words.
 *
 * @example
 * ```ts
 * await setPassword('./box', 'correct horse', { user: 'ann' })
 * ```
 */
export const setPassword = async (
  directory: string,
  password: Password | (() => Promise<Password>),
  options: PasswordOptions = {},
): Promise<void> => {
  const account = prepare(directory, options)
  // As soon as it is known that it could be done, and not when somebody has typed it twice.
  withTree(directory, (tree) => setter(tree, account, new Uint8Array()))
  const bytes = checkPassword(typeof password === 'function' ? await password() : password)
  await change(directory, options, account, 'set the password of', (tree, login) => setter(tree, login, bytes))
}

/** Lets no password in for this user; the old one is kept, for {@link unlockPassword}. Rejects as {@link setPassword}. */
export const lockPassword = async (directory: string, options: PasswordOptions = {}): Promise<void> =>
  change(directory, options, prepare(directory, options), 'lock the password of', changer('-l', 'lock a password'))

/** Takes {@link lockPassword} back. */
export const unlockPassword = async (directory: string, options: PasswordOptions = {}): Promise<void> =>
  change(directory, options, prepare(directory, options), 'unlock the password of', changer('-u', 'unlock a password'))

/** Takes the password away: the user then logs in without one. Rejects as {@link setPassword}. */
export const deletePassword = async (directory: string, options: PasswordOptions = {}): Promise<void> =>
  change(directory, options, prepare(directory, options), 'delete the password of', changer('-d', 'delete a password'))
