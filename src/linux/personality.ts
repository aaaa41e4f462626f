import { InputError } from './error.ts'
import { syscall } from './syscall.ts'

/** The machine that a process believes to run on: with `LINUX32`, uname(2) names the 32-bit one. */
export type PersonalityDomain = 'LINUX' | 'LINUX32'

/** Switches of old behaviour (personality(2)). */
export type PersonalityFlag =
  | 'UNAME26'
  | 'ADDR_NO_RANDOMIZE'
  | 'FDPIC_FUNCPTRS'
  | 'MMAP_PAGE_ZERO'
  | 'ADDR_COMPAT_LAYOUT'
  | 'READ_IMPLIES_EXEC'
  | 'ADDR_LIMIT_32BIT'
  | 'SHORT_INODE'
  | 'WHOLE_SECONDS'
  | 'STICKY_TIMEOUTS'
  | 'ADDR_LIMIT_3GB'

export const PERSONALITY_DOMAINS: Readonly<Record<PersonalityDomain, number>> = { LINUX: 0x0, LINUX32: 0x8 }

/** The bits of the flags (linux/personality.h). */
export const PERSONALITY_FLAGS: Readonly<Record<PersonalityFlag, number>> = {
  UNAME26: 0x0020000,
  ADDR_NO_RANDOMIZE: 0x0040000,
  FDPIC_FUNCPTRS: 0x0080000,
  MMAP_PAGE_ZERO: 0x0100000,
  ADDR_COMPAT_LAYOUT: 0x0200000,
  READ_IMPLIES_EXEC: 0x0400000,
  ADDR_LIMIT_32BIT: 0x0800000,
  SHORT_INODE: 0x1000000,
  WHOLE_SECONDS: 0x2000000,
  STICKY_TIMEOUTS: 0x4000000,
  ADDR_LIMIT_3GB: 0x8000000,
}

export interface Personality {
  readonly domain: PersonalityDomain
  readonly flags: readonly PersonalityFlag[]
}

const PER_MASK = 0xff
const ASK = 0xffffffff

const isFlag = (name: string): name is PersonalityFlag => Object.hasOwn(PERSONALITY_FLAGS, name)

/** The word that personality(2) takes. */
export const encodePersonality = ({ domain, flags }: Personality): number =>
  flags.reduce((word, flag) => word | PERSONALITY_FLAGS[flag], PERSONALITY_DOMAINS[domain])

/** The reverse of {@link encodePersonality}; throws {@link InputError} for what has no name here. */
export const decodePersonality = (word: number): Personality => {
  const domain = word & PER_MASK
  const flags = Object.keys(PERSONALITY_FLAGS)
    .filter(isFlag)
    .filter((flag) => (word & PERSONALITY_FLAGS[flag]) !== 0)
  const name =
    domain === PERSONALITY_DOMAINS.LINUX ? 'LINUX' : domain === PERSONALITY_DOMAINS.LINUX32 ? 'LINUX32' : undefined
  if (name === undefined || encodePersonality({ domain: name, flags }) !== word) {
    const target = `0x${word.toString(16)}`
    throw new InputError({ operation: 'name the personality', target, reason: 'it is not one of Linux' })
  }
  return { domain: name, flags }
}

/** The personality of this thread. personality(2) */
export const getPersonality = (): Personality =>
  decodePersonality(syscall({ operation: 'read the personality' }, 'personality', ASK))

/** Sets the personality of this thread; what it starts inherits it. personality(2) */
export const setPersonality = (personality: Personality): void => {
  syscall(
    { operation: 'set the personality to', target: personality.domain },
    'personality',
    encodePersonality(personality),
  )
}
