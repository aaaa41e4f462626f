import { InputError } from '../error.ts'
import { AF_INET, AF_INET6 } from './address.ts'
import { bytesAttribute, decodePayload, encodePayload, textAttribute, u32Attribute } from './attribute.ts'
import type { IpPrefix } from './ip-address.ts'
import { parseIpPrefix } from './ip-address.ts'
import { checkLinkName } from './link.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'

const RTM_NEWRULE = 32
const RTM_DELRULE = 33
const RTM_GETRULE = 34
const FIB_RULE_HDR = 12
const FRA_DST = 1
const FRA_SRC = 2
const FRA_IIFNAME = 3
const FRA_PRIORITY = 6
const FRA_FWMARK = 10
const FRA_TABLE = 15
const FRA_FWMASK = 16
const FRA_OIFNAME = 17
const ACTIONS = { table: 1, blackhole: 6, unreachable: 7, prohibit: 8 } as const

/** Which packets are routed by which table (ip-rule(8)). */
export interface Rule {
  readonly family: 4 | 6
  /** The lower, the sooner is it asked. */
  readonly priority: number
  /** `10.0.0.0/8`; without it, any. */
  readonly source?: string | undefined
  readonly destination?: string | undefined
  /** The mark that a packet bears. */
  readonly mark?: number | undefined
  /** Which bits of the mark count: by default all. */
  readonly markMask?: number | undefined
  /** The name of the link that it came in by. */
  readonly incoming?: string | undefined
  /** The name of the link that its socket is bound to. */
  readonly outgoing?: string | undefined
  /** `table`: routed by {@link Rule.table}. Others end its way. */
  readonly action: keyof typeof ACTIONS | 'other'
  readonly table?: number | undefined
}

/** A rule to add or delete. */
export type RuleSpec = Omit<Rule, 'action'> & { readonly action?: keyof typeof ACTIONS }

const prefixOf = (rule: RuleSpec, text: string | undefined): IpPrefix | undefined => {
  const prefix = text === undefined ? undefined : parseIpPrefix(text)
  if (prefix === undefined || prefix.family === rule.family) return prefix
  throw new InputError({ operation: 'use rule', target: text, reason: `it is no IPv${rule.family} network` })
}

const describe = ({ family, priority }: RuleSpec): string => `${priority} of IPv${family}`

const payloadOf = (rule: RuleSpec): Uint8Array => {
  const source = prefixOf(rule, rule.source)
  const destination = prefixOf(rule, rule.destination)
  const { table, mark, markMask, incoming, outgoing } = rule
  const header = new Uint8Array(FIB_RULE_HDR)
  header.set([rule.family === 4 ? AF_INET : AF_INET6, destination?.length ?? 0, source?.length ?? 0])
  header[4] = table !== undefined && table < 256 ? table : 0
  header[7] = ACTIONS[rule.action ?? 'table']
  return encodePayload(header, [
    u32Attribute(FRA_PRIORITY, rule.priority),
    source === undefined || source.length === 0 ? undefined : bytesAttribute(FRA_SRC, source.bytes),
    destination === undefined || destination.length === 0 ? undefined : bytesAttribute(FRA_DST, destination.bytes),
    incoming === undefined ? undefined : textAttribute(FRA_IIFNAME, checkLinkName(incoming)),
    outgoing === undefined ? undefined : textAttribute(FRA_OIFNAME, checkLinkName(outgoing)),
    mark === undefined ? undefined : u32Attribute(FRA_FWMARK, mark),
    markMask === undefined ? undefined : u32Attribute(FRA_FWMASK, markMask),
    table === undefined ? undefined : u32Attribute(FRA_TABLE, table),
  ])
}

/** The request that adds a rule. Throws {@link InputError}. */
export const addRuleRequest = (rule: RuleSpec): NetlinkRequest => ({
  operation: 'add rule',
  target: describe(rule),
  hints: { EEXIST: 'There is such a rule already.' },
  type: RTM_NEWRULE,
  flags: NLM_F_CREATE | NLM_F_EXCL,
  payload: payloadOf(rule),
})

/** Adds a rule. Throws {@link InputError}, {@link TareError}. */
export const addRule = (netlink: Netlink, rule: RuleSpec): void => {
  netlink.request(addRuleRequest(rule))
}

/** Deletes a rule that has all that `rule` says. Throws {@link TareError}, with the code `ENOENT` if there is none. */
export const deleteRule = (netlink: Netlink, rule: RuleSpec): void => {
  const hints = { ENOENT: 'There is no such rule.' }
  const request = { operation: 'delete rule', target: describe(rule), hints, type: RTM_DELRULE, flags: 0 }
  netlink.request({ ...request, payload: payloadOf(rule) })
}

const actionName = (action: number): Rule['action'] => {
  switch (action) {
    case ACTIONS.table:
      return 'table'
    case ACTIONS.blackhole:
      return 'blackhole'
    case ACTIONS.unreachable:
      return 'unreachable'
    case ACTIONS.prohibit:
      return 'prohibit'
    default:
      return 'other'
  }
}

/** Decodes the payload of RTM_NEWRULE; undefined for a family that isn't IP. Throws {@link TareError}. */
export const decodeRule = (payload: Uint8Array): Rule | undefined => {
  const { header, attributes } = decodePayload('rule', payload, FIB_RULE_HDR)
  const family = header.getUint8(0)
  if (family !== AF_INET && family !== AF_INET6) return undefined
  const source = attributes.ip(FRA_SRC)
  const destination = attributes.ip(FRA_DST)
  const action = actionName(header.getUint8(7))
  return {
    family: family === AF_INET ? 4 : 6,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    source: source === undefined ? undefined : `${source}/${header.getUint8(2)}`,
    destination: destination === undefined ? undefined : `${destination}/${header.getUint8(1)}`,
    mark: attributes.u32(FRA_FWMARK),
    markMask: attributes.u32(FRA_FWMASK),
    incoming: attributes.text(FRA_IIFNAME),
    outgoing: attributes.text(FRA_OIFNAME),
    action,
    table: action === 'table' ? (attributes.u32(FRA_TABLE) ?? header.getUint8(4)) : undefined,
  }
}

/** The rules of both families. Throws {@link TareError}. */
export const listRules = (netlink: Netlink): readonly Rule[] =>
  [AF_INET, AF_INET6].flatMap((family) => {
    const payload = new Uint8Array(FIB_RULE_HDR)
    payload[0] = family
    return netlink
      .dump({ operation: 'list', target: 'rules', type: RTM_GETRULE, flags: 0, payload })
      .filter((message) => message.type === RTM_NEWRULE && message.payload[0] === family)
      .map((message) => decodeRule(message.payload))
      .filter((rule) => rule !== undefined)
  })
