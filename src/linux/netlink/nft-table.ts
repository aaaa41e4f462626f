import { ERRNO } from '../errno.ts'
import { TareError } from '../error.ts'
import { decodePayload, encodePayload, nestedAttribute, textAttribute, u32beAttribute } from './attribute.ts'
import { NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import type { NftExpression } from './nft-expression.ts'
import type { Netlink, NetlinkRequest } from './socket.ts'

const SUBSYSTEM = 10 << 8
const NFT_MSG_NEWTABLE = SUBSYSTEM | 0
const NFT_MSG_GETTABLE = SUBSYSTEM | 1
const NFT_MSG_DELTABLE = SUBSYSTEM | 2
const NFT_MSG_NEWCHAIN = SUBSYSTEM | 3
const NFT_MSG_NEWRULE = SUBSYSTEM | 6
const NLM_F_APPEND = 0x800
const NFGENMSG = 4
const NFPROTO_INET = 1
const NFTA_TABLE_NAME = 1
const NFTA_TABLE_FLAGS = 2
const NFT_TABLE_F_OWNER = 2
const NFTA_CHAIN_TABLE = 1
const NFTA_CHAIN_NAME = 3
const NFTA_CHAIN_HOOK = 4
const NFTA_CHAIN_TYPE = 7
const NFTA_HOOK_HOOKNUM = 1
const NFTA_HOOK_PRIORITY = 2
const NFTA_RULE_TABLE = 1
const NFTA_RULE_CHAIN = 2
const NFTA_RULE_EXPRESSIONS = 4

const HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const

/** Where packets come by a chain, and in what order (netfilter's own names: raw -300, dstnat -100, filter 0, srcnat 100). */
export interface NftChain {
  readonly name: string
  readonly hook: keyof typeof HOOKS
  readonly priority: number
  readonly type: 'filter' | 'nat'
  /** Each a list of instructions; a packet that none decides on goes on its way. */
  readonly rules: readonly (readonly NftExpression[])[]
}

/** A table of rules for packets of IPv4 and IPv6. */
export interface NftTable {
  readonly name: string
  /** It belongs to the socket by which it is made: nobody else changes it, and it goes when that is closed. */
  readonly owned: boolean
  readonly chains: readonly NftChain[]
}

const header = (): Uint8Array => Uint8Array.of(NFPROTO_INET, 0, 0, 0)

const LACKING = 'This kernel lacks a part of nf_tables that takes (see "tare info"): load its module, if there is one.'

const HINTS: Readonly<Record<string, string>> = {
  EEXIST: 'There is such a table already.',
  ENOENT: LACKING,
  EOPNOTSUPP: LACKING,
  EAFNOSUPPORT: LACKING,
  EPERM: 'It takes CAP_NET_ADMIN in the user namespace that owns the network namespace.',
}

const chainRequests = (table: string, chain: NftChain): readonly NetlinkRequest[] => {
  const what = { hints: HINTS, flags: NLM_F_CREATE }
  return [
    {
      ...what,
      operation: `make the chain ${chain.name}`,
      target: `of type ${chain.type} in ${table}`,
      type: NFT_MSG_NEWCHAIN,
      payload: encodePayload(header(), [
        textAttribute(NFTA_CHAIN_TABLE, table),
        textAttribute(NFTA_CHAIN_NAME, chain.name),
        nestedAttribute(NFTA_CHAIN_HOOK, [
          u32beAttribute(NFTA_HOOK_HOOKNUM, HOOKS[chain.hook]),
          u32beAttribute(NFTA_HOOK_PRIORITY, chain.priority),
        ]),
        textAttribute(NFTA_CHAIN_TYPE, chain.type),
      ]),
    },
    ...chain.rules.map((rule, index): NetlinkRequest => ({
      ...what,
      operation: `make rule ${index + 1}`,
      target: `of the chain ${chain.name} in ${table}`,
      type: NFT_MSG_NEWRULE,
      flags: NLM_F_CREATE | NLM_F_APPEND,
      payload: encodePayload(header(), [
        textAttribute(NFTA_RULE_TABLE, table),
        textAttribute(NFTA_RULE_CHAIN, chain.name),
        nestedAttribute(NFTA_RULE_EXPRESSIONS, rule),
      ]),
    })),
  ]
}

/** What makes a table with all its chains and rules; for {@link Netlink.transaction}. Throws {@link InputError}. */
export const createTableRequests = ({ name, owned, chains }: NftTable): readonly NetlinkRequest[] => [
  {
    operation: 'make the table',
    target: name,
    hints: HINTS,
    type: NFT_MSG_NEWTABLE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: encodePayload(header(), [
      textAttribute(NFTA_TABLE_NAME, name),
      u32beAttribute(NFTA_TABLE_FLAGS, owned ? NFT_TABLE_F_OWNER : 0),
    ]),
  },
  ...chains.flatMap((chain) => chainRequests(name, chain)),
]

/** Makes a table of rules, whole or not at all. `netlink`: a socket for netfilter. Throws {@link TareError}. */
export const createTable = (netlink: Netlink, table: NftTable): void => netlink.transaction(createTableRequests(table))

/** Deletes a table with all that is in it; false if there is none. Throws {@link TareError}. */
export const deleteTable = (netlink: Netlink, name: string): boolean => {
  try {
    netlink.transaction([
      {
        operation: 'delete the table',
        target: name,
        hints: { EPERM: 'It belongs to a program that is running, or it takes CAP_NET_ADMIN.' },
        type: NFT_MSG_DELTABLE,
        flags: 0,
        payload: encodePayload(header(), [textAttribute(NFTA_TABLE_NAME, name)]),
      },
    ])
    return true
  } catch (error) {
    if (error instanceof TareError && error.errno === ERRNO['ENOENT']) return false
    throw error
  }
}

/** The names of all tables for IPv4 and IPv6 together. Throws {@link TareError}. */
export const listTables = (netlink: Netlink): readonly string[] =>
  netlink
    .dump({ operation: 'list', target: 'tables of rules', type: NFT_MSG_GETTABLE, flags: 0, payload: header() })
    .filter(({ type }) => type === NFT_MSG_NEWTABLE)
    .map(({ payload }) => decodePayload('table', payload, NFGENMSG).attributes.text(NFTA_TABLE_NAME) ?? '')
