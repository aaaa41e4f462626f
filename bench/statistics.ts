import { setTimeout as wait } from 'node:timers/promises'

/** The value below which a share of the samples lies: 0.5 is the median. Throws for no samples. */
export const quantile = (samples: readonly number[], share: number): number => {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  if (below === undefined || above === undefined) throw new Error('there are no samples')
  return below + (above - below) * (at - Math.floor(at))
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5)

/** A way to do something once and say how long it took, in any unit. */
export interface Measure {
  readonly name: string
  readonly sample: () => Promise<number>
}

export type Samples = ReadonlyMap<string, readonly number[]>

const shuffled = <T>(items: readonly T[]): readonly T[] =>
  items
    .map((item) => ({ item, key: Math.random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ item }) => item)

/**
 * Takes samples of all measures in turn, so that whatever else the machine does meets all of them. Each round has an
 * order of its own: what one leaves to the kernel to clean up doesn't always meet the same other. `pause`:
 * milliseconds between two samples, in which the kernel may finish.
 */
export const interleave = async (measures: readonly Measure[], rounds: number, pause: number): Promise<Samples> => {
  const samples = new Map(measures.map(({ name }): [string, number[]] => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const { name, sample } of shuffled(measures)) {
      await wait(pause)
      samples.get(name)?.push(await sample())
    }
  return samples
}

/** The samples of a measure; throws if there is none of that name. */
export const samplesOf = (samples: Samples, name: string): readonly number[] => {
  const found = samples.get(name)
  if (found === undefined) throw new Error(`nothing was measured as ${name}`)
  return found
}
