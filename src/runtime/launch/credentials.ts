import { CAPABILITIES } from '../../linux/capability-table.ts'
import {
  capabilityNames,
  capabilityNumber,
  encodeCapabilityData,
  encodeCapabilityHeader,
} from '../../linux/capability.ts'
import type { CapabilitySet, CapabilityState } from '../../linux/capability.ts'
import { PR_SET_SECUREBITS } from '../../linux/prctl.ts'
import type { Data, Register, Words } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
} from '../plan/prctl.ts'
import type { LaunchContext } from './context.ts'

const EPERM = 1
const EINVAL = 22

const has = (set: CapabilitySet, number: number): boolean => ((set >> BigInt(number)) & 1n) === 1n

const hex = (mask: bigint): string => `0x${mask.toString(16)}`

const ID_HINTS = {
  EINVAL: 'The id is not mapped in the user namespace that the program is in.',
  EPERM: 'It takes CAP_SETUID and CAP_SETGID: be root.',
}

const groupsWords = (groups: readonly number[]): Words => ({
  what: `set the additional groups to ${groups.length === 0 ? 'none' : groups.join(', ')}`,
  hints: {
    EINVAL: ID_HINTS.EINVAL,
    EPERM: 'It takes CAP_SETGID, and a user namespace in which setgroups is not denied.',
  },
})

/** Drops the groups while that is in the caller's power. Returns where it is noted whether that went well. */
export const planLeaveGroups = ({ stage, data, spec }: LaunchContext): Register | undefined => {
  if (spec.dropGroups === 'now') return undefined
  const end = stage.label()
  stage.mechanism('process')
  const args = [0, data.space(8, '[]')]
  const branches = [{ errno: EPERM, to: end }]
  const dropped = stage.callFor('groups dropped', groupsWords([]), 'setgroups', args, branches)
  stage.place(end)
  return dropped
}

const setGroups = (context: LaunchContext, groups: readonly number[], dropped: Register | undefined): void => {
  const { stage, data, spec } = context
  const words = groupsWords(groups)
  const args = [groups.length, data.add(new Uint8Array(Uint32Array.from(groups).buffer), `[${groups.join(', ')}]`)]
  const [denied, end] = [stage.label(), stage.label()]
  stage.mechanism('process').call(words, 'setgroups', args, dropped === undefined ? [] : [{ errno: EPERM, to: denied }])
  if (dropped === undefined) return
  if (spec.dropGroups === 'either') stage.jump({ what: 'go on, without groups' }, end)
  stage.place(denied)
  if (spec.dropGroups === 'either') stage.check(words, dropped, 0, EPERM)
  stage.place(end)
}

/** User and groups. The user last: it takes the power to change the others. */
export const planIds = (context: LaunchContext, dropped: Register | undefined): void => {
  const { stage, spec } = context
  const { uid, gid, groups, capabilities } = spec
  const keeps = spec.keepCapabilities || (capabilities !== undefined && (capabilities.permitted !== 0n || spec.setpcap))
  // Without sets to come there is no power left to do it later.
  if (capabilities === undefined) planSecurebits(context)
  if (uid !== undefined && uid !== 0 && keeps)
    stage
      .mechanism('capabilities')
      .call({ what: 'keep capabilities across the change of user' }, 'prctl', [PR_SET_KEEPCAPS, 1, 0, 0, 0])
  if (groups !== undefined) setGroups(context, groups, dropped)
  stage.mechanism('process')
  if (gid !== undefined) stage.call({ what: `set the group to ${gid}`, hints: ID_HINTS }, 'setresgid', [gid, gid, gid])
  if (uid !== undefined) stage.call({ what: `set the user to ${uid}`, hints: ID_HINTS }, 'setresuid', [uid, uid, uid])
}

const header = (context: LaunchContext): Data =>
  context.data.add(encodeCapabilityHeader(), '{_LINUX_CAPABILITY_VERSION_3}')

const setState = (context: LaunchContext, state: CapabilityState, what: string, why: string): void => {
  const text = `{effective=${hex(state.effective)}, permitted=${hex(state.permitted)}, inheritable=${hex(state.inheritable)}}`
  const hints = {
    EPERM:
      'What is to be permitted must be permitted now, and what is to be inheritable needs CAP_SETPCAP unless it is permitted or inheritable now.',
  }
  context.stage.call({ what, why, hints }, 'capset', [
    header(context),
    context.data.add(encodeCapabilityData(state), text),
  ])
}

const raiseAmbient = (context: LaunchContext, name: string, number: number, whereAllowed: boolean): void => {
  const { stage } = context
  const end = stage.label()
  stage.call(
    {
      what: `keep ${name} across exec`,
      hints: { EPERM: 'It must be permitted and inheritable, and SECBIT_NO_CAP_AMBIENT_RAISE not be set.' },
    },
    'prctl',
    [PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, named(number, name), 0, 0],
    whereAllowed
      ? [
          { errno: EPERM, to: end },
          { errno: EINVAL, to: end },
        ]
      : [],
  )
  stage.place(end)
}

/** What is permitted becomes inheritable and ambient, whatever it is: the plan reads it where it is carried out. */
const planKeep = (context: LaunchContext): void => {
  const { stage, data } = context
  // struct __user_cap_data_struct[2]: effective, permitted, inheritable, of the low half and of the high (capget(2)).
  const state = data.space(24, 'capabilities')
  const words = { what: 'make what is permitted inheritable' }
  stage.call({ what: 'read the capabilities' }, 'capget', [header(context), state])
  const permitted = stage.register('permitted')
  for (const half of [0, 12]) {
    stage.loadInto(permitted, words, state.offset + half + 4, 4)
    stage.store(words, state.offset + half + 8, permitted, 4)
  }
  stage.release(permitted)
  stage.call(words, 'capset', [header(context), state])
  for (const { number, name } of CAPABILITIES) raiseAmbient(context, name, number, true)
}

const SECUREBITS_HINTS = { EPERM: 'It takes CAP_SETPCAP, and a locked bit can never change.' }

const planSecurebits = ({ stage, spec }: LaunchContext): void => {
  const { securebits } = spec
  stage.mechanism('capabilities')
  if (securebits !== undefined)
    stage.call({ what: `set the securebits to ${hex(BigInt(securebits))}`, hints: SECUREBITS_HINTS }, 'prctl', [
      named(PR_SET_SECUREBITS, 'PR_SET_SECUREBITS'),
      securebits,
      0,
      0,
      0,
    ])
}

const BOUNDING_HINTS = { EPERM: 'To take one from the bounding set takes CAP_SETPCAP.' }

/**
 * The five sets, in an order in which none is in the way of another (capabilities(7)): the inheritable set while the
 * bounding set is whole, the ambient one before securebits that forbid it, and CAP_SETPCAP goes last.
 */
const planSets = (context: LaunchContext): void => {
  const { stage, spec } = context
  const { capabilities } = spec
  if (capabilities === undefined) return
  const setpcap = spec.setpcap ? 1n << BigInt(capabilityNumber('CAP_SETPCAP')) : 0n
  const first = {
    ...capabilities,
    permitted: capabilities.permitted | setpcap,
    effective: capabilities.effective | setpcap,
  }
  const why = setpcap === 0n ? '' : 'and CAP_SETPCAP, which the next steps take'
  setState(context, first, 'set the capabilities', why)
  stage.call({ what: 'clear the ambient capabilities' }, 'prctl', [PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0])
  for (const { number, name } of CAPABILITIES)
    if (has(capabilities.ambient, number)) raiseAmbient(context, name, number, false)
  for (const word of capabilityNames(spec.dropped)) {
    const number = CAPABILITIES.find(({ name }) => name === word)?.number ?? Number(word)
    const words = { what: `give up ${word}`, why: 'for good: it leaves the bounding set', hints: BOUNDING_HINTS }
    stage.call(words, 'prctl', [PR_CAPBSET_DROP, named(number, word), 0, 0, 0])
  }
  planSecurebits(context)
  if (spec.setpcap) setState(context, capabilities, 'set the capabilities', 'for good')
}

/** Capabilities, securebits, and the promise never to gain more. */
export const planCapabilities = (context: LaunchContext): void => {
  const { stage, spec } = context
  stage.mechanism('capabilities')
  if (spec.keepCapabilities) planKeep(context)
  planSets(context)
  if (spec.noNewPrivileges)
    stage.call({ what: 'promise never to gain privileges', why: 'no set-user-id program works any more' }, 'prctl', [
      PR_SET_NO_NEW_PRIVS,
      1,
      0,
      0,
      0,
    ])
}
