import { InputError } from '../linux/error.ts'
import type { IdMapping, SubidRange } from '../linux/idmap.ts'
import { checkIdMap, readIdMap, readSubids } from '../linux/idmap.ts'
import type { IdMapSpec } from '../runtime/launch/spec.ts'
import type { IdMapOptions } from './launch-options.ts'
import { resolveUser } from './resolve-user.ts'

/** Who maps, and what is known of the host. */
export interface Mapper {
  /** Effective id, of the user or of the group that the map is for. */
  readonly id: number
  readonly uid: number
  readonly name: string | undefined
  /** Whether the user namespace is to be this user's own. */
  readonly owns: boolean
}

const without = (first: number, size: number, hole: number): readonly SubidRange[] =>
  hole < first || hole >= first + size
    ? [{ first, size }]
    : [
        { first, size: hole - first },
        { first: hole + 1, size: first + size - hole - 1 },
      ].filter((range) => range.size > 0)

/** Pairs ids of the one side with ids of the other, in order, as far as both go. */
const pair = (inside: readonly SubidRange[], outside: readonly SubidRange[]): readonly IdMapping[] => {
  const mappings: IdMapping[] = []
  const [ins, outs] = [[...inside], [...outside]]
  for (let [a] = ins, [b] = outs; a !== undefined && b !== undefined; [a] = ins, [b] = outs) {
    const size = Math.min(a.size, b.size)
    mappings.push({ inside: a.first, outside: b.first, size })
    for (const [list, range] of [
      [ins, a],
      [outs, b],
    ] as const) {
      if (range.size === size) list.shift()
      else list[0] = { first: range.first + size, size: range.size - size }
    }
  }
  return mappings
}

/** A range that leaves room for one mapping: neither of its ids is in it any more, and what follows moves up. */
export const makeRoom = (mapping: IdMapping, { inside, outside }: IdMapping): readonly IdMapping[] =>
  pair(without(mapping.inside, mapping.size, inside), without(mapping.outside, mapping.size, outside))

const firstRange = (which: 'uid' | 'gid', { uid, name }: Mapper): SubidRange => {
  const [range] = readSubids(which, { uid, name })
  if (range !== undefined) return range
  throw new InputError({
    operation: `map ${which}s`,
    reason: `${name ?? `user ${uid}`} has no range in /etc/sub${which}`,
    hint: `Give it one, as root: "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name ?? 'NAME'}".`,
  })
}

const rangesOf = (
  range: IdMapping | 'auto' | 'subids' | 'all',
  which: 'uid' | 'gid',
  mapper: Mapper,
): readonly IdMapping[] => {
  if (typeof range === 'object') return [range]
  if (range === 'all') return readIdMap('self', which).map(({ inside, size }) => ({ inside, outside: inside, size }))
  if (range !== 'auto' && range !== 'subids')
    throw new InputError({
      operation: `map ${which}s`,
      target: JSON.stringify(range),
      reason: 'it is auto, subids, all or a mapping',
    })
  const { first, size } = firstRange(which, mapper)
  return [{ inside: range === 'auto' ? 0 : first, outside: first, size }]
}

const idOf = (name: string, which: 'uid' | 'gid'): number =>
  which === 'uid' ? resolveUser(name, [], '/').uid : resolveUser(`0:${name}`, [], '/').gid

/**
 * The map of a new user namespace, and who writes it: for one's own id alone the process itself, else root, or for an
 * ordinary user newuidmap(1). Throws {@link InputError} for ranges that the kernel wouldn't take.
 */
export const resolveIdMap = (
  { own: given, ranges = [] }: IdMapOptions,
  which: 'uid' | 'gid',
  mapper: Mapper,
): IdMapSpec | undefined => {
  const own = typeof given === 'string' ? idOf(given, which) : given
  const self = own === undefined ? [] : [{ inside: own, outside: mapper.id, size: 1 }]
  const others = ranges.flatMap((range) => rangesOf(range, which, mapper))
  const [single] = self
  const mappings = [...self, ...(single === undefined ? others : others.flatMap((each) => makeRoom(each, single)))]
  if (mappings.length === 0) return undefined
  checkIdMap(mappings)
  const [first] = mappings
  const alone = mappings.length === 1 && first?.size === 1 && first.outside === mapper.id
  if (alone && mapper.owns && (ranges.length === 0 || mapper.uid !== 0)) return { mappings, by: 'self' }
  return { mappings, by: mapper.uid === 0 ? 'caller' : 'helper' }
}
