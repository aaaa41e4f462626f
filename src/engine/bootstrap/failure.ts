import { TareError } from '../../linux/error.ts'

interface Known {
  readonly code: string
  readonly pattern: RegExp
  readonly reason: (found: readonly string[]) => string
  readonly hint: string
}

/** What engines say when something fails, the more telling first. */
const KNOWN: readonly Known[] = [
  {
    code: 'ENOSPC',
    pattern: /No space left on device|You don't have enough free space in|Disk quota exceeded/,
    reason: () => 'ENOSPC (no space left on device)',
    hint: 'Make room there, or choose another place; nothing is left of this try.',
  },
  {
    code: 'ERR_TARE_SIGNATURE',
    pattern:
      /(NO_PUBKEY [0-9A-F]+|BADSIG[^\n]*|EXPKEYSIG [0-9A-F]+|is not signed|Clearsigned file isn't valid|invalid signature|GPG check FAILED|[Uu]nknown key[^\n]*|Invalid Release signature)/,
    reason: ([what = '']) => `the archive is not signed by a key that is trusted here (${what})`,
    hint: 'Nothing of it was used. If the archive is right, name a file with its keys as the keyring.',
  },
  {
    code: 'ERR_TARE_HASH',
    pattern: /Hash Sum mismatch|File has unexpected size|[Cc]hecksum doesn't match|was corrupt/,
    reason: () => 'a file of the mirror is not the one that the signed release names',
    hint: 'Nothing of it was used. The mirror may be about to change: try again later, or choose another mirror.',
  },
  {
    code: 'ERR_TARE_PACKAGE',
    pattern:
      /Unable to locate package ([^\s']+)|Package '?([^\s']+)'? has no installation candidate|Couldn't find these debs: (.*)|Version '[^']*' for '([^']*)' was not found|No match for argument: (\S+)/,
    reason: ([, ...names]) => `the release has no package ${names.find((name) => name !== undefined) ?? ''}`.trimEnd(),
    hint: 'Look at how its name is written there.',
  },
  {
    code: 'ERR_TARE_SUITE',
    pattern:
      /404 +Not Found|does not have a Release file|Failed getting release file|File not found - |Failed to stat - |Status code: 404/,
    reason: () => 'the mirror has no such release, or not for this architecture',
    hint: 'Look at what it has below dists/, or choose another mirror.',
  },
  {
    code: 'ERR_TARE_MIRROR',
    pattern:
      /(Temporary failure resolving '[^']*'|Could not resolve '[^']*'|Could not connect to \S+|Unable to connect to \S+|Cannot initiate the connection to \S+|Connection failed|Connection timed out|Could not handshake|Could not resolve host[^\n]*|unable to resolve host address[^\n]*)/,
    reason: ([what = '']) => `the mirror is out of reach (${what})`,
    hint: 'Look at the network, or choose another mirror.',
  },
  {
    code: 'ERR_TARE_DEPENDENCY',
    pattern: /unmet dependencies|Problem: |held broken packages/,
    reason: () => 'some packages need others that are not there',
    hint: 'Leave one out, or choose other versions.',
  },
]

/** What an engine said last that is an error, without its name in front. */
const lastErrorOf = (lines: readonly string[]): string | undefined =>
  lines
    .filter((line) => /^(E: |Error: |error: |dpkg: error)/.test(line))
    .filter((line) => !/^E: (mmdebstrap|run_chroot|setup) failed/.test(line))
    .at(-1)
    ?.replace(/^(E: |Error: |error: )+/, '')

/** The error for an engine that failed: what it says of it, in our words where they are known. */
export const engineError = (system: string, engine: string, lines: readonly string[], ending: string): TareError => {
  const text = lines.join('\n')
  for (const { code, pattern, reason, hint } of KNOWN) {
    const found = pattern.exec(text)
    if (found !== null)
      return new TareError({
        operation: 'bootstrap',
        target: system,
        code,
        reason: reason([...found]),
        hint,
        cause: text,
      })
  }
  return new TareError({
    operation: 'bootstrap',
    target: system,
    code: 'ERR_TARE_BOOTSTRAP',
    reason: lastErrorOf(lines) ?? `${engine} ${ending}`,
    hint: `That is what ${engine} says; nothing is left of this try.`,
    cause: text,
  })
}
