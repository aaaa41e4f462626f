import { CAPABILITIES } from '../../linux/capability-table.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from './context.ts'
import {
  PR_SET_KEEPCAPS,
  PR_CAPBSET_DROP,
  PR_SET_NO_NEW_PRIVS,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_RAISE,
  PR_CAP_AMBIENT_CLEAR_ALL,
} from './prctl.ts'

const CAPABILITY_VERSION_3 = 0x20080522

const LIMIT_HINTS = {
  EPERM: 'Raising a hard limit takes CAP_SYS_RESOURCE, which this process lacks: ask for at most its own hard limit.',
}

/** Resource limits (getrlimit(2)). */
export const planRlimits = (context: PlanContext): void => {
  const { stage, data, spec } = context
  stage.mechanism('process')
  for (const { resource, name, soft, hard } of spec.process.rlimits) {
    const limits = new Uint8Array(16)
    const view = new DataView(limits.buffer)
    view.setBigUint64(0, soft, true)
    view.setBigUint64(8, hard, true)
    stage.call({ what: `limit ${name} to ${soft}:${hard}`, hints: LIMIT_HINTS }, 'prlimit64', [
      0,
      named(resource, `RLIMIT_${name.toUpperCase()}`),
      data.add(limits, `{${soft}, ${hard}}`),
      0,
    ])
  }
}

const capabilityHeader = (): Uint8Array => {
  const header = new Uint8Array(8)
  new DataView(header.buffer).setUint32(0, CAPABILITY_VERSION_3, true)
  return header
}

export interface CredentialOptions {
  /** Whether the process has come into the user namespace by setns(2), and is not its root yet. */
  readonly joined?: boolean
}

/**
 * User, groups and capabilities, and the promise never to gain more. In this order: the bounding set while we may still
 * change it, then the ids, keeping what is permitted, and last the sets themselves (capabilities(7)).
 */
export const planCredentials = (context: PlanContext, { joined = false }: CredentialOptions = {}): void => {
  const { stage, data, spec } = context
  const { process } = spec
  const sets = process.capabilities
  stage.mechanism('capabilities')
  for (const { number, name } of CAPABILITIES) {
    if ((sets.bounding >> BigInt(number)) & 1n) continue
    const end = stage.label()
    // A kernel that doesn't know the capability can't grant it either.
    stage.call(
      { what: `give up ${name}`, why: 'for good: it leaves the bounding set' },
      'prctl',
      [PR_CAPBSET_DROP, named(number, name), 0, 0, 0],
      [{ errno: 22, to: end }],
    )
    stage.place(end)
  }
  stage.mechanism('process')
  const keep = process.uid !== 0 && sets.permitted !== 0n
  if (keep) stage.call({ what: 'keep capabilities across the change of user' }, 'prctl', [PR_SET_KEEPCAPS, 1, 0, 0, 0])
  const idHints = { EINVAL: 'The id is not mapped in the user namespace of the container.' }
  if (!context.mapped || context.host.privileged || helperMapped(context)) {
    const groups = new Uint8Array(process.groups.length * 4)
    const view = new DataView(groups.buffer)
    process.groups.forEach((group, index) => view.setUint32(index * 4, group, true))
    stage.call(
      {
        what: `set the additional groups to ${process.groups.length === 0 ? 'none' : process.groups.join(', ')}`,
        hints: idHints,
      },
      'setgroups',
      [process.groups.length, data.add(groups, `[${process.groups.join(', ')}]`)],
    )
  }
  const { uid, gid } = process
  if (gid !== 0 || joined || !context.mapped)
    stage.call({ what: `set the group to ${gid}`, hints: idHints }, 'setresgid', [gid, gid, gid])
  if (uid !== 0 || joined || !context.mapped)
    stage.call({ what: `set the user to ${uid}`, hints: idHints }, 'setresuid', [uid, uid, uid])
  stage.mechanism('capabilities')
  const words = new Uint8Array(24)
  const view = new DataView(words.buffer)
  const masks = [sets.effective, sets.permitted, sets.inheritable]
  masks.forEach((mask, index) => {
    view.setUint32(index * 4, Number(mask & 0xffffffffn), true)
    view.setUint32(12 + index * 4, Number(mask >> 32n), true)
  })
  const count = CAPABILITIES.filter(({ number }) => (sets.permitted >> BigInt(number)) & 1n).length
  stage.call({ what: 'set the capabilities', why: `${count} permitted` }, 'capset', [
    data.add(capabilityHeader(), '{_LINUX_CAPABILITY_VERSION_3}'),
    data.add(
      words,
      `{effective=${hex(sets.effective)}, permitted=${hex(sets.permitted)}, inheritable=${hex(sets.inheritable)}}`,
    ),
  ])
  // A new user namespace begins without any.
  if (joined || !context.mapped)
    stage.call({ what: 'clear the ambient capabilities' }, 'prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0])
  for (const { number, name } of CAPABILITIES)
    if ((sets.ambient >> BigInt(number)) & 1n)
      stage.call({ what: `keep ${name} across exec`, why: 'the program is not run by root' }, 'prctl', [
        PR_CAP_AMBIENT,
        PR_CAP_AMBIENT_RAISE,
        named(number, name),
        0,
        0,
      ])
  if (process.noNewPrivileges)
    stage.call({ what: 'promise never to gain privileges', why: 'no set-user-id program works any more' }, 'prctl', [
      PR_SET_NO_NEW_PRIVS,
      1,
      0,
      0,
      0,
    ])
}

const hex = (mask: bigint): string => `0x${mask.toString(16)}`

const helperMapped = (context: PlanContext): boolean =>
  context.spec.userNamespace.kind === 'mapped' && context.spec.userNamespace.helper
