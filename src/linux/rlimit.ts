import { ERRNO } from './errno.ts'
import { InputError, TareError } from './error.ts'
import { trySyscall } from './syscall.ts'

/** The limits of a process, by the kernel's names; the index is the number (getrlimit(2)). */
export const RLIMIT_NAMES = [
  'RLIMIT_CPU',
  'RLIMIT_FSIZE',
  'RLIMIT_DATA',
  'RLIMIT_STACK',
  'RLIMIT_CORE',
  'RLIMIT_RSS',
  'RLIMIT_NPROC',
  'RLIMIT_NOFILE',
  'RLIMIT_MEMLOCK',
  'RLIMIT_AS',
  'RLIMIT_LOCKS',
  'RLIMIT_SIGPENDING',
  'RLIMIT_MSGQUEUE',
  'RLIMIT_NICE',
  'RLIMIT_RTPRIO',
  'RLIMIT_RTTIME',
] as const

export type RlimitName = (typeof RLIMIT_NAMES)[number]

/** No limit: all 64 bits set. */
export const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn

/** What a process is held to (soft), and how far it may raise that itself (hard). Units are the limit's own. */
export interface Rlimit {
  readonly soft: bigint
  readonly hard: bigint
}

export interface NamedRlimit extends Rlimit {
  readonly name: RlimitName
}

const known = (text: string): RlimitName | undefined => {
  const upper = text.toUpperCase()
  return RLIMIT_NAMES.find((name) => name === upper || name === `RLIMIT_${upper}`)
}

/** The limit that a person means: `nofile`, `RLIMIT_NOFILE`. Throws {@link InputError} for any other. */
export const findRlimit = (text: string): RlimitName => {
  const name = known(text)
  if (name !== undefined) return name
  const hint = `There are ${RLIMIT_NAMES.map((each) => each.slice('RLIMIT_'.length).toLowerCase()).join(', ')}.`
  throw new InputError({ operation: 'limit', target: text, reason: 'there is no such limit', hint })
}

/** The number of a limit, as prlimit(2) takes it. */
export const rlimitNumber = (name: RlimitName): number => RLIMIT_NAMES.indexOf(name)

const parseValue = (whole: string, text: string): bigint => {
  if (text === 'unlimited' || text === '-1') return RLIM_INFINITY
  const value = /^[0-9]{1,20}$/.test(text) ? BigInt(text) : undefined
  if (value !== undefined && value <= RLIM_INFINITY) return value
  throw new InputError({
    operation: 'read the limit',
    target: JSON.stringify(whole),
    reason: `${JSON.stringify(text)} is no value`,
    hint: 'Write NAME=SOFT or NAME=SOFT:HARD; a value is a number, -1 or unlimited: "nofile=1024:2048".',
  })
}

/**
 * Reads `nofile=1024:2048`, or `nofile=1024` for both values the same; `-1` and `unlimited` are no limit.
 * Throws {@link InputError}, also where the soft value is above the hard one.
 */
export const parseRlimit = (text: string): NamedRlimit => {
  const at = text.indexOf('=')
  if (at < 0) parseValue(text, '')
  const name = findRlimit(text.slice(0, at))
  const [first = '', second, ...rest] = text.slice(at + 1).split(':')
  if (rest.length > 0) parseValue(text, text.slice(at + 1))
  const soft = parseValue(text, first)
  const hard = second === undefined ? soft : parseValue(text, second)
  if (soft > hard) {
    throw new InputError({ operation: 'read the limit', target: text, reason: 'the soft value is above the hard one' })
  }
  return { name, soft, hard }
}

const formatValue = (value: bigint): string => (value === RLIM_INFINITY ? 'unlimited' : `${value}`)

/** `nofile=1024:2048`: the reverse of {@link parseRlimit}. */
export const formatRlimit = ({ name, soft, hard }: NamedRlimit): string =>
  `${name.slice('RLIMIT_'.length).toLowerCase()}=${formatValue(soft)}:${formatValue(hard)}`

/** `struct rlimit64` (prlimit(2)): 16 bytes. Throws {@link InputError} for a value outside 64 bits. */
export const encodeRlimit = ({ soft, hard }: Rlimit): Uint8Array => {
  for (const value of [soft, hard]) {
    if (value < 0n || value > RLIM_INFINITY) {
      throw new InputError({ operation: 'encode a limit', reason: `${value} is not a value of 64 bits` })
    }
  }
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, soft, true)
  view.setBigUint64(8, hard, true)
  return bytes
}

/** The reverse of {@link encodeRlimit}. */
export const decodeRlimit = (bytes: Uint8Array): Rlimit => {
  if (bytes.length !== 16)
    throw new InputError({ operation: 'decode a limit', reason: `${bytes.length} bytes are not 16` })
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { soft: view.getBigUint64(0, true), hard: view.getBigUint64(8, true) }
}

const prlimit = (verb: string, name: RlimitName, pid: number, value: Uint8Array | null): Rlimit => {
  const old = new Uint8Array(16)
  const result = trySyscall('prlimit64', pid, rlimitNumber(name), value, old)
  if (result === 0) return decodeRlimit(old)
  const hint =
    -result === ERRNO['EPERM']
      ? 'Raising a hard limit, or another user’s, takes CAP_SYS_RESOURCE; a hard nofile has fs.nr_open as its ceiling.'
      : undefined
  const target = pid === 0 ? 'this process' : `process ${pid}`
  throw new TareError({ operation: `${verb} ${name} of`, target, syscall: 'prlimit64', errno: -result, hint })
}

/** A limit of a process (0: this one). prlimit(2) */
export const getRlimit = (name: RlimitName, pid: number = 0): Rlimit => prlimit('read', name, pid, null)

/** Sets a limit of a process (0: this one, all its threads); returns what it was. prlimit(2) */
export const setRlimit = (name: RlimitName, rlimit: Rlimit, pid: number = 0): Rlimit =>
  prlimit('set', name, pid, encodeRlimit(rlimit))
