import { InputError } from '../linux/error.ts'
import { PROPAGATION_FLAGS } from '../linux/mount-flags.ts'
import type { NamespaceKind } from '../linux/namespace.ts'
import { NAMESPACE_KINDS } from '../linux/namespace.ts'
import type { BinfmtSpec, UnshareSpec } from '../runtime/launch/spec.ts'
import type { UnshareOptions } from './launch-options.ts'
import { resolveIdMap } from './resolve-id-map.ts'

const refuse = (operation: string, reason: string, hint?: string): InputError =>
  new InputError({ operation, reason, hint })

/** Throws for an option that says something of a namespace that isn't made. */
const checkNeeds = (options: UnshareOptions): void => {
  const needs = (kind: NamespaceKind, operation: string, given: unknown): void => {
    if (given === undefined || given === false || options.kinds.includes(kind)) return
    throw refuse(operation, `there is no new ${kind} namespace`, `Make one: ${kind} among the kinds.`)
  }
  needs('user', 'give it an owner', options.owner)
  needs('user', 'map uids', options.uids)
  needs('user', 'map gids', options.gids)
  needs('user', 'allow or deny setgroups', options.setgroups)
  needs('time', 'set the monotonic clock', options.monotonic)
  needs('time', 'set the boottime clock', options.boottime)
  needs('mnt', 'mount proc', options.mountProc)
  needs('mnt', 'mount binfmt_misc', options.mountBinfmt)
  for (const kind of NAMESPACE_KINDS) needs(kind, `keep the ${kind} namespace`, options.persistent?.[kind])
}

const checkOffset = (seconds: number | undefined, clock: string): number | undefined => {
  if (seconds === undefined || Number.isSafeInteger(seconds)) return seconds
  throw new InputError({
    operation: `set the ${clock} clock ahead by`,
    target: String(seconds),
    reason: 'it is no whole number of seconds',
  })
}

const checkOwner = (owner: NonNullable<UnshareOptions['owner']>): NonNullable<UnshareOptions['owner']> => {
  for (const id of [owner.uid, owner.gid])
    if (!Number.isInteger(id) || id < 0 || id >= 0xffffffff)
      throw new InputError({ operation: 'use owner', target: String(id), reason: 'ids are 0 to 4294967294' })
  return owner
}

const place = (given: boolean | string | undefined, usual: string): string | undefined =>
  given === true ? usual : given === false ? undefined : given

const binfmtOf = ({ mountBinfmt, loadInterp }: UnshareOptions): BinfmtSpec | undefined => {
  const path = place(mountBinfmt, '/proc/sys/fs/binfmt_misc')
  if (path !== undefined) return { path, register: loadInterp }
  if (loadInterp === undefined) return undefined
  throw refuse('register an interpreter', 'there is no binfmt_misc to do it in', 'Give mountBinfmt too.')
}

/** Who makes the namespaces. */
export interface Unsharer {
  readonly uid: number
  readonly gid: number
  readonly name: string | undefined
}

const propagationOf = ({ kinds, propagation = 'private' }: UnshareOptions): UnshareSpec['propagation'] => {
  if (propagation === 'unchanged') return undefined
  if (!Object.hasOwn(PROPAGATION_FLAGS, propagation))
    throw new InputError({
      operation: 'use propagation',
      target: JSON.stringify(propagation),
      reason: 'it is private, shared, slave, unbindable or unchanged',
    })
  return kinds.includes('mnt') ? propagation : undefined
}

/** New namespaces, decided in full. Throws {@link InputError}. */
export const resolveUnshare = (options: UnshareOptions, { uid, gid, name }: Unsharer): UnshareSpec => {
  checkNeeds(options)
  const owner = options.owner === undefined ? undefined : checkOwner(options.owner)
  const owns = owner === undefined
  const uids = resolveIdMap(options.uids ?? {}, 'uid', { id: uid, uid, name, owns })
  const gids = resolveIdMap(options.gids ?? {}, 'gid', { id: gid, uid, name, owns })
  const { setgroups } = options
  if (setgroups !== undefined && setgroups !== 'allow' && setgroups !== 'deny')
    throw new InputError({
      operation: 'use setgroups',
      target: JSON.stringify(setgroups),
      reason: 'it is allow or deny',
    })
  if (gids?.by === 'self' && setgroups === 'allow')
    throw refuse(
      'allow setgroups',
      'only the own group is mapped, which the kernel takes only where setgroups is denied',
      'Leave it out, or map a range of groups.',
    )
  return {
    kinds: NAMESPACE_KINDS.filter((kind) => options.kinds.includes(kind)),
    owner,
    uids,
    gids,
    setgroups: setgroups ?? (gids?.by === 'self' ? 'deny' : undefined),
    monotonic: checkOffset(options.monotonic, 'monotonic'),
    boottime: checkOffset(options.boottime, 'boottime'),
    propagation: propagationOf(options),
    proc: place(options.mountProc, '/proc'),
    binfmt: binfmtOf(options),
    persistent: options.persistent ?? {},
  }
}
