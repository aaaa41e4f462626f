import { moreRestrictive, seccompReturn } from './action.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { seccompAbi, seccompNumbers } from './architectures.ts'
import type { SeccompArgument, SeccompOperator, SeccompProfile } from './profile.ts'

/** 64 bits as two words; BPF has no more. */
export interface Words {
  readonly high: number
  readonly low: number
}

/** A condition as the compiler takes it: `(argument & mask) TEST value`, or its contrary. */
export interface Condition {
  readonly index: number
  readonly test: 'equal' | 'greater' | 'greaterOrEqual'
  readonly negated: boolean
  readonly mask: Words
  readonly value: Words
  /** Decides which of two rules that both hold comes first: equality 3, less 2, greater 1. */
  readonly rank: number
}

/** All conditions hold: the filter returns `value`. */
export interface Rule {
  readonly conditions: readonly Condition[]
  readonly value: number
}

/** What a profile says of one number: a value, or rules, to be tried in the order of {@link precede}. */
export type Decision = number | readonly Rule[]

const ALL: Words = { high: 0xffff_ffff, low: 0xffff_ffff }

const words = (value: number | bigint): Words => {
  if (typeof value === 'number' && value <= 0xffff_ffff) return { high: 0, low: value }
  const wide = BigInt(value)
  return { high: Number(wide >> 32n), low: Number(wide & 0xffff_ffffn) }
}

const and = (a: Words, b: Words): Words => ({ high: (a.high & b.high) >>> 0, low: (a.low & b.low) >>> 0 })

const TESTS: Readonly<Record<SeccompOperator, Pick<Condition, 'test' | 'negated' | 'rank'>>> = {
  SCMP_CMP_EQ: { test: 'equal', negated: false, rank: 3 },
  SCMP_CMP_NE: { test: 'equal', negated: true, rank: 3 },
  SCMP_CMP_MASKED_EQ: { test: 'equal', negated: false, rank: 3 },
  SCMP_CMP_LT: { test: 'greaterOrEqual', negated: true, rank: 2 },
  SCMP_CMP_LE: { test: 'greater', negated: true, rank: 2 },
  SCMP_CMP_GE: { test: 'greaterOrEqual', negated: false, rank: 1 },
  SCMP_CMP_GT: { test: 'greater', negated: false, rank: 1 },
}

const condition = ({ index, op, value, valueTwo = 0 }: SeccompArgument): Condition => {
  if (op !== 'SCMP_CMP_MASKED_EQ') return { index, ...TESTS[op], mask: ALL, value: words(value) }
  const mask = words(value)
  return { index, ...TESTS[op], mask, value: and(words(valueTwo), mask) }
}

/** On an ABI of 32 bits only the low words count, of the argument as of the rule. */
const narrow = (given: Condition): Condition => ({
  ...given,
  mask: { high: 0, low: given.mask.low },
  value: { high: 0, low: given.value.low },
})

const always = ({ mask }: Condition): boolean => mask.high === 0 && mask.low === 0

/**
 * One argument named twice makes each condition a rule of its own, so that they are alternatives: what runc and crun
 * do for profiles of old.
 */
const alternatives = (args: readonly SeccompArgument[]): readonly (readonly SeccompArgument[])[] =>
  new Set(args.map(({ index }) => index)).size < args.length ? args.map((arg) => [arg]) : [args]

const compareWords = (a: Words, b: Words): number => a.high - b.high || a.low - b.low

/**
 * Which rule is tried first: the order that libseccomp's tree comes to. By the first argument of each, then the
 * second …: the later argument, then equality before less before greater, then the narrower range; the shorter rule
 * before the one that adds conditions to it. Rules that are alike in all keep the profile's order.
 */
export const precede = (a: Rule, b: Rule): number => {
  for (const [i, x] of a.conditions.entries()) {
    const y = b.conditions[i]
    if (y === undefined) return 1
    const order =
      y.index - x.index ||
      y.rank - x.rank ||
      (x.rank === 2 ? compareWords(x.value, y.value) : compareWords(y.value, x.value))
    if (order !== 0) return order
  }
  return a.conditions.length - b.conditions.length
}

/** SYS_SOCKET … of linux/net.h: the first argument of socketcall(2). */
const SOCKET_CALLS: ReadonlyMap<string, number> = new Map([
  ['socket', 1],
  ['bind', 2],
  ['connect', 3],
  ['listen', 4],
  ['accept', 5],
  ['getsockname', 6],
  ['getpeername', 7],
  ['socketpair', 8],
  ['send', 9],
  ['recv', 10],
  ['sendto', 11],
  ['recvfrom', 12],
  ['shutdown', 13],
  ['setsockopt', 14],
  ['getsockopt', 15],
  ['sendmsg', 16],
  ['recvmsg', 17],
  ['accept4', 18],
  ['recvmmsg', 19],
  ['sendmmsg', 20],
])

/** SEMOP … of linux/ipc.h: the low half of the first argument of ipc(2); a version is above it. */
const IPC_CALLS: ReadonlyMap<string, number> = new Map([
  ['semop', 1],
  ['semget', 2],
  ['semctl', 3],
  ['semtimedop', 4],
  ['msgsnd', 11],
  ['msgrcv', 12],
  ['msgget', 13],
  ['msgctl', 14],
  ['shmat', 21],
  ['shmdt', 22],
  ['shmget', 23],
  ['shmctl', 24],
])

const selector = (code: number, mask: number): Condition => ({
  index: 0,
  ...TESTS.SCMP_CMP_MASKED_EQ,
  mask: { high: 0, low: mask },
  value: { high: 0, low: code },
})

/** The first rule without conditions outdoes all others. */
const add = (decisions: Map<number, number | Rule[]>, key: number, rule: Rule): void => {
  const known = decisions.get(key)
  if (typeof known === 'number') return
  if (rule.conditions.length === 0) decisions.set(key, rule.value)
  else if (known === undefined) decisions.set(key, [rule])
  else known.push(rule)
}

/**
 * What multiplexed calls come to. Their arguments lie in memory, which no filter sees, so of rules with conditions the
 * most restrictive outcome is taken, the default among them.
 */
const demultiplex = (
  decisions: ReadonlyMap<number, number | readonly Rule[]>,
  mask: number,
  fallback: number,
): readonly Rule[] =>
  [...decisions].map(([code, decision]) => ({
    conditions: [selector(code, mask)],
    value:
      typeof decision === 'number'
        ? decision
        : [...decision.map(({ value }) => value), fallback].reduce(moreRestrictive),
  }))

/** A profile's rules with actions resolved, and what every call without a rule gets. */
export interface Rules {
  readonly fallback: number
  readonly entries: readonly { readonly names: readonly string[]; readonly rules: readonly Rule[] }[]
}

/** The rules of a profile, the same for all architectures. One that says what the default says is no rule. */
export const rulesOf = (profile: SeccompProfile): Rules => {
  const fallback = seccompReturn(profile.defaultAction, profile.defaultErrnoRet)
  const entries = (profile.syscalls ?? []).flatMap(({ names, action, errnoRet, args = [] }) => {
    const value = seccompReturn(action, errnoRet)
    if (value === fallback) return []
    const rules = alternatives(args).map((each) => ({
      conditions: each.map(condition).toSorted((a, b) => a.index - b.index),
      value,
    }))
    return [{ names, rules }]
  })
  return { fallback, entries }
}

/** What a profile says of each number of an architecture; of numbers not there it says the default. */
export const decisionsOf = (
  { fallback, entries }: Rules,
  architecture: SeccompArchitecture,
): ReadonlyMap<number, Decision> => {
  const { bits, multiplexed } = seccompAbi(architecture)
  const numbers = seccompNumbers(architecture)
  const decisions = new Map<number, number | Rule[]>()
  const sockets = new Map<number, number | Rule[]>()
  const ipcs = new Map<number, number | Rule[]>()
  for (const { names, rules } of entries) {
    for (const { conditions, value } of rules) {
      const fitted = bits === 32 ? conditions.map(narrow) : conditions
      const rule = { conditions: fitted.filter((each) => !always(each)), value }
      for (const name of names) {
        const nr = numbers.get(name)
        if (nr !== undefined) add(decisions, nr, rule)
        if (!multiplexed) continue
        const socket = SOCKET_CALLS.get(name)
        const ipc = IPC_CALLS.get(name)
        if (socket !== undefined) add(sockets, socket, rule)
        else if (ipc !== undefined) add(ipcs, ipc, rule)
      }
    }
  }
  const socketcall = numbers.get('socketcall') ?? 0
  const ipc = numbers.get('ipc') ?? 0
  for (const rule of demultiplex(sockets, 0xffff_ffff, fallback)) add(decisions, socketcall, rule)
  for (const rule of demultiplex(ipcs, 0xffff, fallback)) add(decisions, ipc, rule)
  return decisions
}
