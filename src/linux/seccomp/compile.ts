import { TareError } from '../error.ts'
import { ERRNO } from '../errno.ts'
import { SECCOMP_RET, seccompReturn } from './action.ts'
import type { SeccompArchitecture } from './architectures.ts'
import { isSyscallName, NATIVE_SECCOMP_ARCHITECTURE, seccompAbi, seccompNumbers, X32_BIT } from './architectures.ts'
import type { Graph, Node } from './bpf.ts'
import { assemble, createGraph, INSTRUCTION_SIZE, MAX_INSTRUCTIONS, SECCOMP_DATA } from './bpf.ts'
import type { SeccompFlag, SeccompProfile } from './profile.ts'
import type { Condition, Decision, Rules } from './rules.ts'
import { decisionsOf, precede, rulesOf } from './rules.ts'

/** The bits of seccomp(2)'s flags. */
export const SECCOMP_FILTER_FLAG = { TSYNC: 1, LOG: 2, SPEC_ALLOW: 4, NEW_LISTENER: 8, WAIT_KILLABLE_RECV: 32 } as const

/** The operation of seccomp(2) that loads a filter. */
export const SECCOMP_SET_MODE_FILTER = 1

/** A filter, ready for seccomp(2). */
export interface SeccompProgram {
  /** struct sock_filter, one after the other. */
  readonly program: Uint8Array
  /** How many of them. */
  readonly instructions: number
  /** For seccomp(2). */
  readonly flags: number
  /** Whether seccomp(2) returns a descriptor that must get to somebody who answers. */
  readonly listener: boolean
  /** Names that no architecture of the table has: they are left out. */
  readonly unknown: readonly string[]
}

export interface SeccompOptions {
  /** The architecture that is covered whether the profile names it or not; by default this process's. */
  readonly native?: SeccompArchitecture
  /**
   * What a call gets whose number is above all that the profile names on its architecture: it is newer than the
   * profile. `ENOSYS`, so that programs fall back to what the profile knows, as runc does it; or the profile's
   * default, to the letter, which is the default here too. A default that allows, logs or traces is kept.
   */
  readonly newer?: 'default' | 'ENOSYS'
}

/** Calls of one AUDIT_ARCH, by number: from `start` up to the next range. */
interface Range {
  readonly start: number
  readonly node: Node
}

interface Context {
  readonly graph: Graph
  readonly rules: Rules
  readonly fallback: Node
  /** For architectures that the profile doesn't cover. */
  readonly foreign: Node
  /** For numbers above all that the profile names, where they differ from the default. */
  readonly newer: Node | undefined
  readonly named: readonly string[]
}

const compileCondition = (
  graph: Graph,
  { index, test, negated, mask, value }: Condition,
  bigEndian: boolean,
  outcomes: { readonly yes: Node; readonly no: Node },
): Node => {
  const { yes, no } = negated ? { yes: outcomes.no, no: outcomes.yes } : outcomes
  const first = SECCOMP_DATA.args + 8 * index
  const high = bigEndian ? first : first + 4
  const low = bigEndian ? first + 4 : first
  const lowTest = graph.test(low, mask.low, test, value.low, { yes, no })
  if (mask.high === 0) return lowTest
  if (test === 'equal') return graph.test(high, mask.high, test, value.high, { yes: lowTest, no })
  // Not greater than 0 is 0 itself.
  const equal = value.high === 0 ? lowTest : graph.test(high, mask.high, 'equal', value.high, { yes: lowTest, no })
  return graph.test(high, mask.high, 'greater', value.high, { yes, no: equal })
}

const compileDecision = ({ graph, fallback }: Context, decision: Decision, bigEndian: boolean): Node => {
  if (typeof decision === 'number') return graph.verdict(decision)
  return decision.toSorted(precede).reduceRight<Node>((next, { conditions, value }) => {
    return conditions.reduceRight<Node>(
      (yes, condition) => compileCondition(graph, condition, bigEndian, { yes, no: next }),
      graph.verdict(value),
    )
  }, fallback)
}

/** Adds a range, unless what came before leads to the same. */
const append = (ranges: Range[], start: number, node: Node): void => {
  if (ranges.at(-1)?.node !== node) ranges.push({ start, node })
}

/** Adds the ranges of an architecture's numbers, from `start` on. */
const appendArchitecture = (
  ranges: Range[],
  context: Context,
  architecture: SeccompArchitecture,
  start: number,
): void => {
  const { bigEndian } = seccompAbi(architecture)
  const decisions = decisionsOf(context.rules, architecture)
  let next = start
  for (const nr of Uint32Array.from(decisions.keys()).toSorted()) {
    const decision = decisions.get(nr) ?? []
    if (nr > next) append(ranges, next, context.fallback)
    append(ranges, nr, compileDecision(context, decision, bigEndian))
    next = nr + 1
  }
  const last = context.newer === undefined ? -1 : lastNamed(context.named, architecture)
  if (context.newer === undefined || last < 0) return append(ranges, next, context.fallback)
  if (last >= next) append(ranges, next, context.fallback)
  append(ranges, Math.max(next, last + 1), context.newer)
}

const lastNamed = (named: readonly string[], architecture: SeccompArchitecture): number => {
  const numbers = seccompNumbers(architecture)
  return named.reduce((most, name) => Math.max(most, numbers.get(name) ?? -1), -1)
}

/**
 * x32's calls carry x86_64's AUDIT_ARCH and bit 30 of the number. Where one of the two isn't covered its half is
 * foreign; but -1, with which a tracer skips a call, is nobody's.
 */
const appendX86 = (ranges: Range[], context: Context, covered: ReadonlySet<SeccompArchitecture>): void => {
  if (covered.has('SCMP_ARCH_X86_64')) appendArchitecture(ranges, context, 'SCMP_ARCH_X86_64', 0)
  else append(ranges, 0, context.foreign)
  if (covered.has('SCMP_ARCH_X32')) return appendArchitecture(ranges, context, 'SCMP_ARCH_X32', X32_BIT)
  append(ranges, X32_BIT, context.foreign)
  append(ranges, 0xffff_ffff, context.newer ?? context.fallback)
}

const NR = SECCOMP_DATA.nr
const FULL = 0xffff_ffff

/** A balanced tree over the ranges from `from` up to `to`; a single number amid equals is one comparison. */
const compileRanges = (graph: Graph, ranges: readonly Range[], from: number, to: number): Node => {
  const first = ranges[from]
  if (first === undefined) throw new RangeError('no range to compile')
  if (to - from === 1) return first.node
  const second = ranges[from + 1]
  const third = ranges[from + 2]
  if (to - from === 3 && second && third && first.node === third.node && third.start === second.start + 1) {
    return graph.test(NR, FULL, 'equal', second.start, { yes: second.node, no: first.node })
  }
  const middle = (from + to) >> 1
  const yes = compileRanges(graph, ranges, middle, to)
  const no = compileRanges(graph, ranges, from, middle)
  return graph.test(NR, FULL, 'greaterOrEqual', ranges[middle]?.start ?? 0, { yes, no })
}

const compileArchitectures = (context: Context, covered: ReadonlySet<SeccompArchitecture>): Node => {
  const byAudit = new Map<number, SeccompArchitecture>()
  for (const architecture of covered) {
    const { audit } = seccompAbi(architecture)
    if (!byAudit.has(audit)) byAudit.set(audit, architecture)
  }
  return [...byAudit].reduceRight<Node>((next, [audit, architecture]) => {
    const ranges: Range[] = []
    if (architecture === 'SCMP_ARCH_X86_64' || architecture === 'SCMP_ARCH_X32') appendX86(ranges, context, covered)
    else appendArchitecture(ranges, context, architecture, 0)
    const tree = compileRanges(context.graph, ranges, 0, ranges.length)
    return context.graph.test(SECCOMP_DATA.arch, FULL, 'equal', audit, { yes: tree, no: next })
  }, context.foreign)
}

const FLAG_BITS: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: SECCOMP_FILTER_FLAG.TSYNC,
  SECCOMP_FILTER_FLAG_LOG: SECCOMP_FILTER_FLAG.LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: SECCOMP_FILTER_FLAG.SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: SECCOMP_FILTER_FLAG.WAIT_KILLABLE_RECV,
}

/**
 * The kernel refuses TSYNC together with a listener, and WAIT_KILLABLE_RECV without one. Neither loses anything: the
 * process that loads a container's filter has one thread, and without a listener nobody is waited for.
 */
const flagsOf = (flags: readonly SeccompFlag[], listener: boolean): number => {
  const bits = flags.reduce((all, flag) => all | FLAG_BITS[flag], 0)
  return listener
    ? (bits & ~SECCOMP_FILTER_FLAG.TSYNC) | SECCOMP_FILTER_FLAG.NEW_LISTENER
    : bits & ~SECCOMP_FILTER_FLAG.WAIT_KILLABLE_RECV
}

const PERMISSIVE: ReadonlySet<number> = new Set([SECCOMP_RET.ALLOW, SECCOMP_RET.LOG, SECCOMP_RET.TRACE])

/**
 * Compiles a profile into a filter. What several rules on one call mean is libseccomp's; docs/seccomp.md says it in
 * full. A call of an architecture that isn't covered kills the process.
 *
 * Only numbers and AUDIT_ARCH decide for calls without conditions, in loads, ANDs and comparisons with constants, so
 * that the kernel can tell which calls are always allowed and skip the filter for them (since Linux 5.11).
 *
 * @throws {@link TareError} when the filter would be longer than the 4096 instructions that the kernel takes.
 */
export const compileSeccomp = (profile: SeccompProfile, options: SeccompOptions = {}): SeccompProgram => {
  const { native = NATIVE_SECCOMP_ARCHITECTURE, newer = 'default' } = options
  const graph = createGraph()
  const rules = rulesOf(profile)
  const syscalls = profile.syscalls ?? []
  const named = syscalls.flatMap(({ names }) => names)
  const keepsDefault = newer === 'default' || PERMISSIVE.has((rules.fallback & 0xffff_0000) >>> 0)
  const context: Context = {
    graph,
    rules,
    fallback: graph.verdict(rules.fallback),
    foreign: graph.verdict(SECCOMP_RET.KILL_PROCESS),
    newer: keepsDefault ? undefined : graph.verdict(seccompReturn('SCMP_ACT_ERRNO', ERRNO['ENOSYS'])),
    named: keepsDefault ? [] : named,
  }
  const program = assemble(compileArchitectures(context, new Set([native, ...(profile.architectures ?? [])])))
  const instructions = program.length / INSTRUCTION_SIZE
  if (instructions > MAX_INSTRUCTIONS) {
    throw new TareError({
      operation: 'compile',
      target: 'the seccomp profile',
      reason: `it takes ${instructions} instructions, and the kernel no more than ${MAX_INSTRUCTIONS}`,
      hint: 'Give fewer rules with args, or fewer architectures.',
    })
  }
  const listener = syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY')
  return {
    program,
    instructions,
    flags: flagsOf(profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW'], listener),
    listener,
    unknown: [...new Set(named.filter((name) => !isSyscallName(name)))],
  }
}
