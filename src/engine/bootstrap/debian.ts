import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, TareError } from '../../linux/error.ts'
import { findProgram } from './find-program.ts'
import type { BootstrapVariant } from './options.ts'
import type { Keyring, Source } from './source.ts'
import { sourceLine } from './source.ts'

/** A program that makes systems, and how to call it. */
export interface Engine {
  readonly name: string
  /** The parts of the archive that it takes packages from. */
  readonly sources: readonly Source[]
  /** Makes files that it needs, in a directory that nobody needs afterwards. */
  readonly prepare?: (temporary: string) => void
  /** The command that fills a directory. */
  readonly command: (tree: string, temporary: string) => readonly string[]
}

export interface DebianNeeds {
  readonly system: string
  readonly sources: readonly Source[]
  readonly keyring: Keyring
  readonly variant: BootstrapVariant
  readonly include: readonly string[]
  readonly architecture: string
  readonly root: boolean
}

/** apt knows by its name how a file with keys is written. */
const keyFile = ({ content }: Keyring): string =>
  content.subarray(0, 5).toString('latin1') === '-----' ? 'bootstrap.asc' : 'bootstrap.gpg'

/**
 * dpkg waits for the disk after every package, so that a machine which loses its power comes up again. Nobody needs a
 * system that is half made: one wait at the end does. The setting, and the name of this host, don't stay in the system.
 */
const FAST = '--dpkgopt=force-unsafe-io'
const FORGET = `rm -f "$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap" "$1/etc/hostname"`

/** A word of sh(1). */
const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`

const mmdebstrap = (path: string, needs: DebianNeeds): Engine => {
  const { keyring, sources, include } = needs
  const file = keyFile(keyring)
  const keys = (temporary: string): string => join(temporary, 'keys')
  // What comes from there later has to be verified in the system, too.
  const keep = (temporary: string): string =>
    keyring.own
      ? `; mkdir -p "$1/etc/apt/trusted.gpg.d"; cp ${quote(join(keys(temporary), file))} "$1/etc/apt/trusted.gpg.d/"`
      : ''
  return {
    name: 'mmdebstrap',
    sources,
    prepare: (temporary) => {
      mkdirSync(keys(temporary))
      chmodSync(keys(temporary), 0o755)
      writeFileSync(join(keys(temporary), file), keyring.content)
      chmodSync(join(keys(temporary), file), 0o644)
    },
    command: (tree, temporary) => [
      path,
      '--mode=root',
      '--format=directory',
      '--verbose',
      `--variant=${needs.variant}`,
      `--architectures=${needs.architecture}`,
      // These keys alone: without, all that the host's apt trusts would do, whoever's archive it is for.
      '--keyring=/dev/null',
      `--keyring=${keys(temporary)}`,
      '--skip=check/signed-by',
      // Debian can't be without it, and has it by itself; Ubuntu could.
      `--include=${['apt', ...include].join(',')}`,
      FAST,
      `--customize-hook=${FORGET}${keep(temporary)}`,
      sources[0]?.suite ?? '',
      tree,
      ...sources.map(sourceLine),
    ],
  }
}

/** Runs a command, and then removes what mmdebstrap doesn't leave either: the packages, the name of this host. */
const TIDY = 'tree=$1; shift; "$@"; rm -f "$tree"/var/cache/apt/archives/*.deb "$tree/etc/hostname"'

const debootstrap = (path: string, needs: DebianNeeds): Engine => {
  if (needs.variant !== 'minbase')
    throw new InputError({
      operation: `bootstrap variant ${needs.variant} of`,
      target: needs.system,
      reason: 'debootstrap has none such',
      hint: 'Install mmdebstrap, or take minbase and include what is missing.',
    })
  return {
    name: 'debootstrap',
    sources: needs.sources.slice(0, 1),
    command: (tree) => [
      'sh',
      '-ec',
      TIDY,
      'sh',
      tree,
      path,
      '--variant=minbase',
      '--force-check-gpg',
      `--arch=${needs.architecture}`,
      `--keyring=${needs.keyring.path}`,
      `--components=${(needs.sources[0]?.components ?? []).join(',')}`,
      ...(needs.include.length === 0 ? [] : [`--include=${needs.include.join(',')}`]),
      needs.sources[0]?.suite ?? '',
      tree,
      needs.sources[0]?.mirror ?? '',
    ],
  }
}

/** mmdebstrap where it is installed, else for root debootstrap. Throws {@link TareError} where there is neither. */
export const debianEngine = (needs: DebianNeeds): Engine => {
  const better = findProgram(['mmdebstrap'])
  if (better !== undefined) return mmdebstrap(better.path, needs)
  const other = findProgram(['debootstrap'])
  if (other !== undefined && needs.root) return debootstrap(other.path, needs)
  throw new TareError({
    operation: 'bootstrap',
    target: needs.system,
    code: 'ERR_TARE_ENGINE',
    reason:
      other === undefined ? 'mmdebstrap is not installed' : 'debootstrap takes root, and mmdebstrap is not installed',
    hint: 'Install it: "apt install mmdebstrap" on Debian and Ubuntu; others have it, or debootstrap for root, under the same name.',
  })
}
