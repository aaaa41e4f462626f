import { InputError } from '../../linux/error.ts'
import { suggest } from '../../linux/suggest.ts'
import { resolveArchitecture } from './architecture.ts'
import type { Engine } from './debian.ts'
import { debianEngine } from './debian.ts'
import { fedoraEngine } from './fedora.ts'
import type { Builder } from './helper.ts'
import { parseInclude } from './include.ts'
import type { BootstrapOptions, BootstrapVariant } from './options.ts'
import { BOOTSTRAP_VARIANTS } from './options.ts'
import { resolveKeyring, resolveSources } from './source.ts'
import type { SystemName } from './system-name.ts'
import { parseSystemName } from './system-name.ts'

/** What is to be made, decided in full. */
export interface BootstrapRequest {
  /** `debian:bookworm`. */
  readonly system: string
  readonly name: SystemName
  readonly architecture: string
  readonly variant: BootstrapVariant
  readonly include: readonly string[]
  readonly engine: Engine
  /** What makes systems alike, besides what is new in the archive. */
  readonly likeness: readonly (string | Buffer)[]
}

const checkVariant = (variant: BootstrapVariant): BootstrapVariant => {
  if (BOOTSTRAP_VARIANTS.includes(variant)) return variant
  const meant = suggest(String(variant), BOOTSTRAP_VARIANTS)
  throw new InputError({
    operation: 'bootstrap variant',
    target: String(variant),
    reason: 'there is none such',
    hint: meant === undefined ? `There is ${BOOTSTRAP_VARIANTS.join(' and ')}.` : `Did you mean ${meant}?`,
  })
}

/** Decides it, and looks for the engine. Throws {@link InputError}, or {@link TareError} where there is no engine. */
export const resolveBootstrap = (text: string, options: BootstrapOptions, { root }: Builder): BootstrapRequest => {
  const { mirror } = options
  const name = parseSystemName(text, { anySuite: mirror !== undefined })
  const variant = checkVariant(options.variant ?? 'minbase')
  const include = parseInclude(options.include ?? [])
  const { distribution, suite } = name
  const architecture = resolveArchitecture(options.architecture, distribution)
  const system = `${distribution}:${suite}`
  const common = { system, variant, include, architecture, root }
  if (distribution === 'fedora') {
    const engine = fedoraEngine({ ...common, release: suite, mirror, keyring: options.keyring })
    return { ...common, name, engine, likeness: [] }
  }
  const sources = resolveSources(name, mirror, architecture)
  const keyring = resolveKeyring(distribution, options.keyring)
  const engine = debianEngine({ ...common, sources, keyring })
  const likeness = [
    '1',
    engine.name,
    system,
    architecture,
    variant,
    include.join(','),
    JSON.stringify(engine.sources),
    keyring.content,
    String(keyring.own),
  ]
  return { ...common, name, engine, likeness }
}
