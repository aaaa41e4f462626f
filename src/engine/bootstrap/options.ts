import type { BootstrapProgress } from './progress.ts'

export type BootstrapVariant = 'minbase' | 'standard'

export const BOOTSTRAP_VARIANTS: readonly BootstrapVariant[] = ['minbase', 'standard']

export interface BootstrapOptions {
  /** Where the system is to be: a directory that is empty, or not there. */
  readonly output: string
  /** More packages, by name. */
  readonly include?: readonly string[] | undefined
  /**
   * How much there is by itself.
   * - `minbase` (default): what the distribution can't be without, and what installs more.
   * - `standard`: what it installs on every machine.
   */
  readonly variant?: BootstrapVariant | undefined
  /** This machine's own, by any name (`amd64`, `x86_64`), to be sure of it; another is refused. */
  readonly architecture?: string | undefined
  /** `http:`, `https:` or `file:`. Default: the distribution's own, with all updates. */
  readonly mirror?: string | undefined
  /** A file with the public keys of the archive. Default: as the distribution's package has it. */
  readonly keyring?: string | undefined
  /**
   * The next system of the same kind is a copy of this one as long as the archive has nothing newer.
   * - `use` (default): takes a copy if there is one, and keeps one.
   * - `refresh`: makes a new one, and keeps that.
   * - `none`: neither.
   */
  readonly cache?: 'use' | 'refresh' | 'none' | undefined
  /** Default: `/var/cache/tare/bootstrap` for root, else `tare/bootstrap` in `$XDG_CACHE_HOME` or `~/.cache`. */
  readonly cacheDirectory?: string | undefined
  /** Gives up, and leaves nothing. */
  readonly signal?: AbortSignal | undefined
  /** Is told how far it is, some times a second at most. */
  readonly onProgress?: ((progress: BootstrapProgress) => void) | undefined
}

/** Names of all options, for telling what was mistyped. */
export const BOOTSTRAP_OPTIONS: readonly (keyof BootstrapOptions)[] = [
  'output',
  'include',
  'variant',
  'architecture',
  'mirror',
  'keyring',
  'cache',
  'cacheDirectory',
  'signal',
  'onProgress',
]
