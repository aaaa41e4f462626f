import { InputError } from '../error.ts'

/** Device access that is given or taken. Without a major or minor number: any. */
export interface DeviceRule {
  readonly allow: boolean
  /** Block, character, or all. */
  readonly type: 'a' | 'b' | 'c'
  readonly major?: number | undefined
  readonly minor?: number | undefined
  /** Some of `r` (read), `w` (write), `m` (mknod). */
  readonly access: string
}

/** BPF_DEVCG_ACC_* of linux/bpf.h. */
const BITS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 }
const ALL_ACCESS = 7

/** `rw` → BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE. Throws {@link InputError} for other letters. */
export const accessBits = (access: string): number => {
  let bits = 0
  for (const letter of access) {
    const bit = BITS[letter]
    if (bit === undefined)
      throw new InputError({
        operation: 'read device access',
        target: access,
        reason: 'it has letters other than r, w, m',
      })
    bits |= bit
  }
  return bits
}

const accessLetters = (bits: number): string => ['r', 'w', 'm'].filter((letter) => bits & (BITS[letter] ?? 0)).join('')

/** A set of devices: one kind, and numbers of which undefined is any. */
interface Pattern {
  readonly type: 'b' | 'c'
  readonly major: number | undefined
  readonly minor: number | undefined
}

const show = ({ type, major, minor }: Pattern, access: number): string =>
  `${type} ${major ?? '*'}:${minor ?? '*'} ${accessLetters(access)}`

/** `deny c 1:3 rw`, for messages. */
export const describeDeviceRule = ({ allow, type, major, minor, access }: DeviceRule): string =>
  `${allow ? 'allow' : 'deny'} ${type} ${major ?? '*'}:${minor ?? '*'} ${access}`

const holds = (outer: number | undefined, inner: number | undefined): boolean => outer === undefined || outer === inner
const covers = (outer: Pattern, inner: Pattern): boolean =>
  outer.type === inner.type && holds(outer.major, inner.major) && holds(outer.minor, inner.minor)

const meet = (a: Pattern, b: Pattern): Pattern | undefined => {
  const clash = (x: number | undefined, y: number | undefined): boolean => x !== undefined && y !== undefined && x !== y
  if (a.type !== b.type || clash(a.major, b.major) || clash(a.minor, b.minor)) return undefined
  return { type: a.type, major: a.major ?? b.major, minor: a.minor ?? b.minor }
}

/** Every rule as rules for one kind of device. */
const patternRules = (rules: readonly DeviceRule[]): readonly (Pattern & { allow: boolean; access: number })[] =>
  rules.flatMap(({ allow, type, major, minor, access }) =>
    (type === 'a' ? (['b', 'c'] as const) : [type]).map((kind) => ({
      allow,
      type: kind,
      major,
      minor,
      access: accessBits(access),
    })),
  )

/** What the rules allow to devices that match the pattern and nothing narrower; the last rule wins for each bit. */
const allowedTo = (rules: ReturnType<typeof patternRules>, pattern: Pattern): number =>
  rules.reduce(
    (bits, rule) => (!covers(rule, pattern) ? bits : rule.allow ? bits | rule.access : bits & ~rule.access),
    0,
  )

interface Hole {
  readonly outer: Pattern
  readonly inner: Pattern
  readonly access: number
}

/** An exception from an exception, which version 1 can't hold. */
const findHole = (all: readonly { pattern: Pattern; allowed: number }[], allowByDefault: boolean): Hole | undefined => {
  const excepted = (allowed: number): number => (allowByDefault ? ALL_ACCESS & ~allowed : allowed)
  for (const outer of all) {
    for (const inner of all) {
      const access = covers(outer.pattern, inner.pattern) ? excepted(outer.allowed) & ~excepted(inner.allowed) : 0
      if (access !== 0) return { outer: outer.pattern, inner: inner.pattern, access }
    }
  }
  return undefined
}

/** The device policy as version 1 holds it: what happens by default, and the exceptions from that. */
export interface DevicePolicy {
  readonly allowByDefault: boolean
  /** In the kernel's words: `c 1:3 rwm`. */
  readonly exceptions: readonly string[]
}

/**
 * Rules as version 1 can hold them (Documentation/admin-guide/cgroup-v1/devices.rst). It knows a default and exceptions
 * from it, but none from those: an InputError names the rules that need that. A request must match one exception in
 * full, so each exception is given all the access that wider ones give too.
 */
export const devicePolicy = (given: readonly DeviceRule[]): DevicePolicy => {
  const rules = patternRules(given)
  const patterns = new Map<string, Pattern>()
  const add = (pattern: Pattern): void => void patterns.set(show(pattern, 0), pattern)
  for (const type of ['b', 'c'] as const) add({ type, major: undefined, minor: undefined })
  for (const rule of rules) {
    for (const known of patterns.values()) {
      const both = meet(known, rule)
      if (both !== undefined) add({ type: both.type, major: both.major, minor: both.minor })
    }
    add({ type: rule.type, major: rule.major, minor: rule.minor })
  }
  const all = [...patterns.values()].map((pattern) => ({ pattern, allowed: allowedTo(rules, pattern) }))
  const everything = all
    .filter(({ pattern }) => pattern.major === undefined && pattern.minor === undefined)
    .every(({ allowed }) => allowed === ALL_ACCESS)
  const hole = findHole(all, everything)
  const allowByDefault = hole === undefined || findHole(all, !everything) !== undefined ? everything : !everything
  if (hole !== undefined && allowByDefault === everything) {
    const verb = everything ? 'allow' : 'deny'
    throw new InputError({
      operation: `${verb} device ${show(hole.inner, hole.access)}`,
      reason: `cgroup version 1 can't ${verb} part of what another rule ${everything ? 'denies' : 'allows'}`,
      hint: `Leave the wider rule (${show(hole.outer, hole.access)}) out, or list its devices one by one.`,
    })
  }
  const excepted = (allowed: number): number => (allowByDefault ? ALL_ACCESS & ~allowed : allowed)
  // An exception that gives no more than a wider one is not needed.
  const needed = all.filter(
    ({ pattern, allowed }) =>
      excepted(allowed) !== 0 &&
      !all.some(
        (outer) =>
          outer.pattern !== pattern && covers(outer.pattern, pattern) && excepted(outer.allowed) === excepted(allowed),
      ),
  )
  return { allowByDefault, exceptions: needed.map(({ pattern, allowed }) => show(pattern, excepted(allowed))) }
}

/** A line for version 1's devices.allow or devices.deny. */
export interface DeviceLine {
  readonly file: 'devices.allow' | 'devices.deny'
  readonly value: string
}

/**
 * What to write to come to a policy: from the lines of devices.list by the difference alone where the default stays,
 * so that nothing is refused meanwhile that is allowed before and after; else from the start.
 */
export const deviceLines = (policy: DevicePolicy, current?: readonly string[]): readonly DeviceLine[] => {
  const except = policy.allowByDefault ? 'devices.deny' : 'devices.allow'
  const restore = policy.allowByDefault ? 'devices.allow' : 'devices.deny'
  const listed = current?.filter((line) => line !== '')
  if (!policy.allowByDefault && listed !== undefined && !listed.some((line) => line.startsWith('a '))) {
    const gone = listed.flatMap((line): readonly string[] => {
      const [type = '', numbers = '', access = ''] = line.split(' ')
      const kept =
        policy.exceptions.find((exception) => exception.startsWith(`${type} ${numbers} `))?.split(' ')[2] ?? ''
      const rest = accessBits(access) & ~accessBits(kept)
      return rest === 0 ? [] : [`${type} ${numbers} ${accessLetters(rest)}`]
    })
    const added = policy.exceptions.filter((exception) => !listed.includes(exception))
    return [
      ...added.map((value): DeviceLine => ({ file: except, value })),
      ...gone.map((value): DeviceLine => ({ file: restore, value })),
    ]
  }
  return [{ file: restore, value: 'a' }, ...policy.exceptions.map((value): DeviceLine => ({ file: except, value }))]
}
