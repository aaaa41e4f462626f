import { InputError } from '../linux/error.ts'
import type { IdMapping, SubidRange } from '../linux/idmap.ts'
import { checkIdMap, readSubids } from '../linux/idmap.ts'
import type { PlanHost } from '../runtime/plan/context.ts'
import type { UserNamespace } from '../runtime/spec.ts'
import type { ContainerOptions } from './options.ts'

/** As many ids as one subordinate range has by default (useradd(8)). */
const RANGE = 65536
/**
 * Where ranges for root's containers lie: what systemd-nspawn(1) uses too, 0x80000 to 0x6fffffff, so that they meet no
 * user of this host and no subordinate id.
 */
const FIRST_RANGE = 0x80000 / RANGE
const RANGES = (0x70000000 - 0x80000) / RANGE

/** The first id of a range for one of root's containers. */
export const newRange = (): number => (FIRST_RANGE + Math.floor(Math.random() * RANGES)) * RANGE

const HOW =
  'Give it a line in /etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 NAME), or do without.'

/** `inside` 0 to `size` - 1 onto the ranges, as far as they go. */
const spread = (first: number, ranges: readonly SubidRange[]): IdMapping[] => {
  const mappings: IdMapping[] = []
  let inside = first
  for (const range of ranges) {
    mappings.push({ inside, outside: range.first, size: range.size })
    inside += range.size
  }
  return mappings
}

const subordinate = (which: 'uid' | 'gid', uid: number): readonly SubidRange[] => {
  const ranges = readSubids(which, { uid, name: userName(uid) })
  if (ranges.length > 0) return ranges
  throw new InputError({
    operation: 'map more than one id',
    reason: `user ${uid} has no range of subordinate ${which}s in /etc/sub${which}`,
    hint: HOW,
  })
}

const userName = (uid: number): string | undefined => process.env['USER'] ?? (uid === 0 ? 'root' : undefined)

/** The caller's id stays itself, and the others are taken from its subordinate ranges. */
export const keepId = (id: number, ranges: readonly SubidRange[]): readonly IdMapping[] => {
  const all = spread(0, ranges)
  const mappings: IdMapping[] = [{ inside: id, outside: id, size: 1 }]
  for (const { inside, outside, size } of all) {
    const below = Math.min(size, Math.max(0, id - inside))
    if (below > 0) mappings.push({ inside, outside, size: below })
    if (below < size)
      mappings.push({
        inside: inside + below + (inside + below >= id ? 1 : 0),
        outside: outside + below,
        size: size - below,
      })
  }
  return mappings
}

export interface IdNeeds {
  /** Whether any id but root's is needed inside. */
  readonly more: boolean
}

/** Whose ids the container's are, from the options and what this caller may map. */
export const resolveUserNamespace = (options: ContainerOptions, host: PlanHost, needs: IdNeeds): UserNamespace => {
  const { userns, uidMappings, gidMappings } = options
  if (uidMappings !== undefined || gidMappings !== undefined) {
    if (userns !== undefined)
      throw new InputError({
        operation: 'use userns',
        target: userns,
        reason: 'uidMappings and gidMappings are given too',
      })
    const uids = uidMappings ?? gidMappings ?? []
    const gids = gidMappings ?? uids
    checkIdMap(uids)
    checkIdMap(gids)
    requireRoot(uids, 'uidMappings')
    requireRoot(gids, 'gidMappings')
    const own = uids.length === 1 && gids.length === 1 && isOwn(uids[0], host.uid) && isOwn(gids[0], host.gid)
    return { kind: 'mapped', uids, gids, helper: !host.privileged && !own }
  }
  if (userns === 'host') {
    if (host.privileged) return { kind: 'host' }
    throw new InputError({
      operation: "use the caller's own ids (userns host)",
      reason: 'that takes root',
      hint: 'An ordinary user needs a user namespace: leave the option out.',
    })
  }
  if (userns !== undefined && userns !== 'auto' && userns !== 'keep-id')
    throw new InputError({
      operation: 'use userns',
      target: JSON.stringify(userns),
      reason: 'it is auto, host or keep-id',
    })
  if (host.privileged) {
    if (userns === 'keep-id')
      throw new InputError({ operation: 'use userns keep-id', reason: 'the caller is root', hint: 'Use auto or host.' })
    const range = [{ inside: 0, outside: newRange(), size: RANGE }]
    return { kind: 'mapped', uids: range, gids: range, helper: false }
  }
  if (userns === undefined && !needs.more) {
    const one = (id: number): readonly IdMapping[] => [{ inside: 0, outside: id, size: 1 }]
    return { kind: 'mapped', uids: one(host.uid), gids: one(host.gid), helper: false }
  }
  const uids = subordinate('uid', host.uid)
  const gids = subordinate('gid', host.uid)
  if (userns === 'keep-id')
    return { kind: 'mapped', uids: keepId(host.uid, uids), gids: keepId(host.gid, gids), helper: true }
  return {
    kind: 'mapped',
    uids: [{ inside: 0, outside: host.uid, size: 1 }, ...spread(1, uids)],
    gids: [{ inside: 0, outside: host.gid, size: 1 }, ...spread(1, gids)],
    helper: true,
  }
}

const isOwn = (mapping: IdMapping | undefined, id: number): boolean => mapping?.outside === id && mapping.size === 1

const requireRoot = (mappings: readonly IdMapping[], what: string): void => {
  if (mappings.some(({ inside }) => inside === 0)) return
  throw new InputError({
    operation: 'use',
    target: what,
    reason: 'they leave out id 0',
    hint: 'The container is set up as its root: map id 0.',
  })
}
