import { InputError } from '../../linux/error.ts'
import { suggest } from '../../linux/suggest.ts'

export type Distribution = 'debian' | 'ubuntu' | 'fedora'

/** A distribution and one of its releases. */
export interface SystemName {
  readonly distribution: Distribution
  /** As the archive calls it: `bookworm`, `jammy`, `40`. */
  readonly suite: string
}

interface KnownDistribution {
  /** Releases by number, where people know them by that. */
  readonly numbers: Readonly<Record<string, string>>
  readonly suites: readonly string[]
  readonly example: string
}

const DEBIAN_NUMBERS = { '11': 'bullseye', '12': 'bookworm', '13': 'trixie', '14': 'forky' }
const UBUNTU_NUMBERS = {
  '20.04': 'focal',
  '22.04': 'jammy',
  '24.04': 'noble',
  '25.10': 'questing',
  '26.04': 'resolute',
}

const KNOWN: Readonly<Record<Distribution, KnownDistribution>> = {
  debian: {
    numbers: DEBIAN_NUMBERS,
    suites: [...Object.values(DEBIAN_NUMBERS), 'oldstable', 'stable', 'testing', 'unstable', 'sid'],
    example: 'debian:bookworm',
  },
  ubuntu: { numbers: UBUNTU_NUMBERS, suites: Object.values(UBUNTU_NUMBERS), example: 'ubuntu:jammy' },
  fedora: { numbers: {}, suites: ['rawhide'], example: 'fedora:40' },
}

const isDistribution = (word: string): word is Distribution => Object.hasOwn(KNOWN, word)

const refuse = (text: string, reason: string, hint: string): never => {
  throw new InputError({ operation: 'bootstrap', target: text, reason, hint })
}

const distributionOf = (word: string, text: string): Distribution => {
  if (isDistribution(word)) return word
  const meant = suggest(word, Object.keys(KNOWN))
  return refuse(
    text,
    'there is no such distribution here',
    meant === undefined ? `There is ${Object.keys(KNOWN).join(', ')}.` : `Did you mean ${meant}?`,
  )
}

/**
 * Reads `debian:bookworm`, `debian:12`, `ubuntu:22.04`, `fedora:40`. With `anySuite`, a suite that isn't known is taken
 * too: mirrors have more of them than are listed here. Throws {@link InputError}, with what was probably meant.
 */
export const parseSystemName = (
  text: string,
  { anySuite = false }: { readonly anySuite?: boolean } = {},
): SystemName => {
  const [first = '', second = '', ...rest] = text.split(':')
  const distribution = distributionOf(first.toLowerCase(), text)
  const { numbers, suites, example } = KNOWN[distribution]
  const word = second.toLowerCase()
  if (word === '' || rest.length > 0) return refuse(text, 'it is not said which release', `Write ${example}.`)
  const suite = numbers[word] ?? word
  if (suites.includes(suite)) return { distribution, suite }
  if (distribution === 'fedora' && /^[1-9]\d{1,2}$/.test(suite)) return { distribution, suite }
  if (anySuite && /^[a-z\d][a-z\d.-]*$/.test(suite)) return { distribution, suite }
  const meant = suggest(word, [...suites, ...Object.keys(numbers)])
  const list = distribution === 'fedora' ? 'rawhide and numbers, like 40' : suites.join(', ')
  return refuse(
    text,
    `${distribution} has no such release that is known here`,
    meant === undefined
      ? `There is ${list}; any other one with the mirror that has it.`
      : `Did you mean ${distribution}:${meant}? Any other one is taken with the mirror that has it.`,
  )
}
