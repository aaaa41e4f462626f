import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { InputError } from '../../linux/error.ts'
import { checkPlace, Workshop } from '../../rootfs/build/place.ts'
import { removeHeld } from '../../rootfs/build/remove-tree.ts'
import { checkOptions } from '../check-options.ts'
import { REPORT_INTERVAL } from '../copy-progress.ts'
import { flush, removeAsRoot, removeStale } from '../system-files.ts'
import { engineError } from './failure.ts'
import type { Builder } from './helper.ts'
import { runHelper } from './helper.ts'
import { defaultCacheDirectory, KeptSystem, keyOf } from './kept-systems.ts'
import type { BootstrapOptions, BootstrapVariant } from './options.ts'
import { BOOTSTRAP_OPTIONS } from './options.ts'
import type { BootstrapProgress } from './progress.ts'
import { ProgressReader } from './progress.ts'
import { fetchReleases } from './release.ts'
import type { BootstrapRequest } from './request.ts'
import { resolveBootstrap } from './request.ts'

/** A system that has been made. */
export interface BootstrappedSystem {
  /** Absolute. */
  readonly path: string
  /** `debian:bookworm`, whatever it was called. */
  readonly system: string
  /** As the distribution calls it. */
  readonly architecture: string
  readonly variant: BootstrapVariant
  /** The packages that were asked for besides. */
  readonly include: readonly string[]
  /** The program that made it: `mmdebstrap`. */
  readonly engine: string
  /** Whether it is a copy of one that was made before. */
  readonly cached: boolean
  /** Sentences. */
  readonly warnings: readonly string[]
}

const CACHE_WORDS = ['use', 'refresh', 'none'] as const

/** What is in a workshop. */
const [TREE, TEMPORARY] = ['tree', 'tmp']

/** Where a system is made, and by whom. */
interface Site {
  readonly builder: Builder
  /** What becomes the system's root. */
  readonly tree: string
  /** For files that nobody needs afterwards. */
  readonly temporary: string
  readonly signal: AbortSignal | undefined
  readonly report: (progress: BootstrapProgress) => void
}

const isFilled = (path: string): boolean => existsSync(path) && readdirSync(path).length > 0

const removeTreeOf = async ({ tree, builder }: Site): Promise<void> => {
  await removeAsRoot(tree)
  if (builder.root) {
    const fd = openSync(tree, 'r')
    try {
      removeHeld(fd, tree)
    } finally {
      closeSync(fd)
    }
  }
}

/** Whatever the umask of this process is. */
const makeDirectory = (path: string, mode: number): void => {
  mkdirSync(path)
  chmodSync(path, mode)
}

const runEngine = async ({ system, engine }: BootstrapRequest, site: Site): Promise<void> => {
  const reader = new ProgressReader()
  let last = Number.NEGATIVE_INFINITY
  site.report({ phase: 'indexes' })
  engine.prepare?.(site.temporary)
  const { ok, lines, ending } = await runHelper(engine.command(site.tree, site.temporary), site.builder, {
    signal: site.signal,
    env: { TMPDIR: site.temporary },
    onLine: (line) => {
      if (!reader.take(line) || performance.now() - last < REPORT_INTERVAL) return
      last = performance.now()
      site.report(reader.progress)
    },
  })
  if (!ok) throw engineError(system, engine.name, lines, ending)
}

/** Fills the tree. True if it is a copy of one that was kept. */
const fill = async (
  request: BootstrapRequest,
  site: Site,
  { cache = 'use', cacheDirectory }: BootstrapOptions,
  warnings: string[],
): Promise<boolean> => {
  const { builder, tree, signal, report } = site
  const { engine, name, architecture, system } = request
  report({ phase: 'looking' })
  const releases =
    engine.sources.length === 0
      ? undefined
      : await fetchReleases(system, engine.sources, site.temporary, builder, signal)
  if (releases === undefined || cache === 'none') {
    await runEngine(request, site)
    return false
  }
  const directory = cacheDirectory === undefined ? defaultCacheDirectory(builder) : resolve(cacheDirectory)
  const key = keyOf([...request.likeness, ...releases])
  const kept = await KeptSystem.open(directory, `${name.distribution}-${name.suite}-${architecture}-${key}`, signal)
  try {
    if (cache === 'use' && kept.exists) {
      report({ phase: 'copying' })
      if (await kept.copyTo(tree, builder, signal)) return true
      await removeTreeOf(site)
      makeDirectory(tree, 0o755)
    }
    await runEngine(request, site)
    report({ phase: 'finishing' })
    const warning = await kept.keep(tree, builder, signal)
    if (warning !== undefined) warnings.push(warning)
    return false
  } finally {
    kept.close()
  }
}

/**
 * Makes a directory with the system of a distribution in it, from the distribution's own packages, by a program of this
 * host that knows how: mmdebstrap, debootstrap, dnf. Packages are verified against the signatures of the archive.
 *
 * Root's systems belong to root. An ordinary user's belong to the user, and to the user's subordinate ids (subuid(5)),
 * in the way in which its containers map them. It is made beside its place and put there at the end, so there is all of it
 * or nothing; what an earlier one left that was killed is removed. What the engine starts and mounts ends with this
 * process.
 *
 * Throws {@link InputError} for a system, an option or a place that won't do; {@link TareError} where there is no engine
 * (`ERR_TARE_ENGINE`), the mirror is out of reach (`ERR_TARE_MIRROR`), has no such release (`ERR_TARE_SUITE`) or package
 * (`ERR_TARE_PACKAGE`), a signature (`ERR_TARE_SIGNATURE`) or a hash (`ERR_TARE_HASH`) is wrong, or the disk is full
 * (`ENOSPC`).
 * @example
 * ```ts
 * await bootstrap('debian:bookworm', { output: 'box', include: ['nginx'] })
 * ```
 */
export const bootstrap = async (system: string, options: BootstrapOptions): Promise<BootstrappedSystem> => {
  checkOptions(options, BOOTSTRAP_OPTIONS)
  const { output, cache = 'use', signal, onProgress } = options
  if (!CACHE_WORDS.includes(cache))
    throw new InputError({
      operation: 'use cache',
      target: JSON.stringify(cache),
      reason: `it is ${CACHE_WORDS.join(', ')}`,
    })
  const builder: Builder = { root: process.geteuid?.() === 0 }
  const request = resolveBootstrap(system, options, builder)
  signal?.throwIfAborted()
  const place = checkPlace(output, false)
  await removeStale(place, TREE, TEMPORARY)
  const workshop = new Workshop(place)
  const site: Site = {
    builder,
    tree: join(workshop.path, TREE),
    temporary: join(workshop.path, TEMPORARY),
    signal,
    report: (progress) => onProgress?.(progress),
  }
  const warnings: string[] = []
  try {
    // Engines download as another user, who has to get as far as the tree, but sees nothing on the way.
    chmodSync(workshop.held, 0o711)
    makeDirectory(join(workshop.held, TREE), 0o755)
    makeDirectory(join(workshop.held, TEMPORARY), 0o1777)
    const cached = await fill(request, site, options, warnings)
    signal?.throwIfAborted()
    site.report({ phase: 'finishing' })
    await removeAsRoot(site.temporary)
    flush(workshop.held, place.path)
    workshop.finishPart(TREE)
    const { architecture, variant, include, engine } = request
    return {
      path: place.path,
      system: request.system,
      architecture,
      variant,
      include,
      engine: engine.name,
      cached,
      warnings,
    }
  } catch (error) {
    if ([site.tree, site.temporary].some(isFilled)) await removeAsRoot(site.tree, site.temporary)
    throw error
  } finally {
    workshop.abandon()
  }
}
