import type { Config } from './config.ts'
import type { Container } from './container.ts'
import type { RuntimeName } from './runtime.ts'

/** Some runtimes that a case isn't tried on, and why: too old for it, or otherwise minded. docs/oci.md has the reasons. */
export type Differs = Partial<Readonly<Record<RuntimeName, string>>>

/** One thing that the runtime specification demands, and how it is seen to be so. */
export interface Case {
  /** The document of the specification and its heading. */
  readonly section: string
  /** What must be, in our words. */
  readonly must: string
  readonly differs: Differs
  /** Why this host can't do it, or undefined. */
  readonly lacks: () => string | undefined
  readonly config: (bundle: string) => Config
  readonly story: (container: Container) => Promise<void> | void
}

export interface Conditions {
  readonly differs?: Differs
  readonly lacks?: () => string | undefined
  /** Done with the bundle before anything else. */
  readonly prepare?: (container: Container) => void
}

export type Change = Config | ((bundle: string) => Config)

/** A case with a story of its own. */
export const lives = (
  section: string,
  must: string,
  change: Change,
  story: Case['story'],
  { differs = {}, lacks = () => undefined, prepare }: Conditions = {},
): Case => ({
  section,
  must,
  differs,
  lacks,
  config: typeof change === 'function' ? change : () => change,
  story: async (container) => {
    prepare?.(container)
    await story(container)
  },
})
