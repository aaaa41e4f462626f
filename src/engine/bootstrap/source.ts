import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { InputError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'
import type { SystemName } from './system-name.ts'

/** A part of an archive of Debian packages: a line of apt's sources.list(5). */
export interface Source {
  readonly mirror: string
  readonly suite: string
  readonly components: readonly string[]
}

/** Suites of Debian that get their security updates from nowhere else. */
const ROLLING = ['sid', 'unstable', 'experimental', 'testing']

const HTTP = /^https?:\/\/[^\s/'"\\\p{Cc}]+(\/[^\s'"\\\p{Cc}]*)?$/u
const FILE = /^file:(?:\/\/)?(\/[^\s'"\\\p{Cc}]*)$/u

const checkMirror = (mirror: string): string => {
  if (HTTP.test(mirror)) return mirror.replace(/\/+$/, '')
  const path = FILE.exec(mirror)?.[1]
  if (path !== undefined) return `file://${path}`
  throw new InputError({
    operation: 'use the mirror',
    target: mirror,
    reason: 'it is no address of one',
    hint: 'Write http://HOST/PATH, https://HOST/PATH or file:///PATH.',
  })
}

/**
 * Where the packages of Debian and Ubuntu come from: the release itself with what has been updated since, or with a
 * mirror that is named, what is in that one alone.
 */
export const resolveSources = (
  { distribution, suite }: SystemName,
  mirror: string | undefined,
  architecture: string,
): readonly Source[] => {
  const components = distribution === 'ubuntu' ? ['main', 'universe'] : ['main']
  if (mirror !== undefined) return [{ mirror: checkMirror(mirror), suite, components }]
  if (distribution === 'ubuntu') {
    const amd = architecture === 'amd64'
    const archive = amd ? 'http://archive.ubuntu.com/ubuntu' : 'http://ports.ubuntu.com/ubuntu-ports'
    const security = amd ? 'http://security.ubuntu.com/ubuntu' : archive
    return [
      { mirror: archive, suite, components },
      { mirror: archive, suite: `${suite}-updates`, components },
      { mirror: security, suite: `${suite}-security`, components },
    ]
  }
  const main: Source = { mirror: 'http://deb.debian.org/debian', suite, components }
  if (ROLLING.includes(suite)) return [main]
  return [
    main,
    { ...main, suite: `${suite}-updates` },
    { mirror: 'http://security.debian.org/debian-security', suite: `${suite}-security`, components },
  ]
}

/** `deb http://deb.debian.org/debian bookworm main`. */
export const sourceLine = ({ mirror, suite, components }: Source): string =>
  ['deb', mirror, suite, ...components].join(' ')

/** The keys that releases must be signed with. */
export interface Keyring {
  readonly path: string
  readonly content: Buffer
  /** Whether it isn't the distribution's own one. */
  readonly own: boolean
}

interface KnownKeyring {
  readonly paths: readonly string[]
  readonly package: string
}

const KEYRINGS: Readonly<Record<'debian' | 'ubuntu', KnownKeyring>> = {
  debian: {
    paths: ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'],
    package: 'debian-archive-keyring',
  },
  ubuntu: { paths: ['/usr/share/keyrings/ubuntu-archive-keyring.gpg'], package: 'ubuntu-keyring' },
}

const readKeyring = (path: string, own: boolean): Keyring => {
  try {
    return { path, own, content: readFileSync(path) }
  } catch (error) {
    throw fromNodeError(error, 'use the keyring', path, {
      ENOENT: 'Name a file with the public keys of the archive.',
      EISDIR: 'Name a file with the public keys of the archive.',
    })
  }
}

/** The file with the keys that releases must be signed with. Throws {@link InputError} where there is none. */
export const resolveKeyring = (distribution: 'debian' | 'ubuntu', asked: string | undefined): Keyring => {
  if (asked !== undefined) return readKeyring(resolve(asked), true)
  const { paths, package: name } = KEYRINGS[distribution]
  const found = paths.find((path) => existsSync(path))
  if (found !== undefined) return readKeyring(found, false)
  throw new InputError({
    operation: `verify packages of ${distribution}`,
    reason: `its keys are not on this host (${paths[0] ?? ''})`,
    hint: `Install the package ${name}, or name a file with them as the keyring.`,
  })
}
