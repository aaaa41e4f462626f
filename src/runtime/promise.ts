import { Buffer } from 'node:buffer'
import type { Amount } from '../linux/cgroup/limits.ts'
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from '../linux/mount-flags.ts'
import { PLAN_DATA_AT, PLAN_MAGIC } from '../plan/encode.ts'
import { mapText } from './plan/user-namespace.ts'
import type { ContainerSpec, Mount } from './spec.ts'

/** A mount that a container is to have. */
export interface PromisedMount {
  /** As it was asked for: a link in the image may lead it elsewhere. */
  readonly target: string
  /** Those of `ro`, `nosuid`, `nodev` and `noexec` that it is to have. */
  readonly options: readonly string[]
  /** Whether what is mounted below its source came along. */
  readonly recursive: boolean
}

/**
 * What a container was promised when it was started, as far as the kernel can be asked whether it is so. Its plan carries
 * it, so that whoever looks at the container later can hold it against what is there.
 */
export interface Promised {
  /** Namespaces of its own, by the kernel's names. */
  readonly namespaces: readonly string[]
  /** The text of its uid_map and gid_map; absent without a user namespace of its own. */
  readonly uids?: string
  readonly gids?: string
  /** Masks in hexadecimal digits: what its programs may hold, and what they may ever gain. */
  readonly permitted: string
  readonly bounding: string
  readonly noNewPrivileges: boolean
  /** How many instructions its filter of system calls has; 0 for none. */
  readonly filter: number
  readonly readOnlyRoot: boolean
  readonly mounts: readonly PromisedMount[]
  /** Paths that are hidden, and that are read-only, where this kernel has them. */
  readonly hidden: readonly string[]
  readonly readOnly: readonly string[]
  /** Absolute paths of its device nodes. */
  readonly devices: readonly string[]
  /** Bytes. */
  readonly memory?: number
  readonly pids?: number
  /** Processors. */
  readonly cpus?: number
}

const OPTIONS: readonly (readonly [attribute: number, option: string])[] = [
  [MOUNT_ATTR_RDONLY, 'ro'],
  [MOUNT_ATTR_NOSUID, 'nosuid'],
  [MOUNT_ATTR_NODEV, 'nodev'],
  [MOUNT_ATTR_NOEXEC, 'noexec'],
]

const mountOf = (mount: Mount): PromisedMount => ({
  target: mount.target,
  options: OPTIONS.flatMap(([attribute, option]) => ((mount.attributes & attribute) === 0 ? [] : [option])),
  recursive: mount.kind === 'bind' && mount.recursive,
})

/** What of /proc and /sys is mounted once more. */
const kernelMounts = ({ writablePaths = [], replacedFiles = [] }: ContainerSpec): readonly PromisedMount[] => {
  const options = ['nosuid', 'nodev', 'noexec']
  return [
    ...writablePaths.map((target) => ({ target, options, recursive: false })),
    ...replacedFiles.map(([target]) => ({ target, options: ['ro', ...options], recursive: false })),
  ]
}

const amount = (value: Amount | undefined): number | undefined =>
  value === undefined || value === 'max' ? undefined : Number(value)

/** Microseconds (sched-bwc.rst). */
const DEFAULT_PERIOD = 100_000

const limitsOf = ({ cgroup }: ContainerSpec): Pick<Promised, 'memory' | 'pids' | 'cpus'> => {
  const { memory, pids, cpu } = cgroup?.limits ?? {}
  const [most, processes, quota] = [amount(memory?.max), amount(pids), amount(cpu?.quota)]
  return {
    ...(most === undefined ? {} : { memory: most }),
    ...(processes === undefined ? {} : { pids: processes }),
    ...(quota === undefined ? {} : { cpus: quota / (cpu?.period ?? DEFAULT_PERIOD) }),
  }
}

/** What a container with this specification is promised. Pure. */
export const promiseOf = (spec: ContainerSpec): Promised => {
  const { process, userNamespace } = spec
  const mapped = userNamespace.kind === 'mapped' ? userNamespace : undefined
  return {
    namespaces: [
      'cgroup',
      'ipc',
      'mnt',
      'pid',
      'time',
      'uts',
      ...(spec.network === 'host' ? [] : ['net']),
      ...(mapped === undefined ? [] : ['user']),
    ],
    ...(mapped === undefined ? {} : { uids: mapText(mapped.uids), gids: mapText(mapped.gids) }),
    permitted: process.capabilities.permitted.toString(16),
    bounding: process.capabilities.bounding.toString(16),
    noNewPrivileges: process.noNewPrivileges,
    filter: process.seccomp === undefined ? 0 : process.seccomp.program.length / 8,
    readOnlyRoot: spec.readOnlyRoot,
    mounts: [...spec.mounts.map(mountOf), ...kernelMounts(spec)],
    hidden: spec.maskedPaths,
    readOnly: spec.readonlyPaths,
    devices: spec.devices.map(({ path }) => path),
    ...limitsOf(spec),
  }
}

/** Stands before what is promised: the data of other plans begins with something else. */
const MARK = 'tare.promise.1\0'

/** The bytes of what is promised, as they stand at the head of a plan's data. */
export const encodePromise = (promised: Promised): Uint8Array => Buffer.from(`${MARK}${JSON.stringify(promised)}\0`)

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

const isAbsentOr =
  (type: 'string' | 'number') =>
  (value: unknown): boolean =>
    value === undefined || typeof value === type

const isMask = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{1,16}$/.test(value)

const isMount = (value: unknown): boolean =>
  isObject(value) &&
  typeof value['target'] === 'string' &&
  isStrings(value['options']) &&
  typeof value['recursive'] === 'boolean'

const is =
  (type: 'boolean' | 'number') =>
  (value: unknown): boolean =>
    typeof value === type

const SHAPE: Readonly<Record<keyof Promised, (value: unknown) => boolean>> = {
  namespaces: isStrings,
  uids: isAbsentOr('string'),
  gids: isAbsentOr('string'),
  permitted: isMask,
  bounding: isMask,
  noNewPrivileges: is('boolean'),
  filter: is('number'),
  readOnlyRoot: is('boolean'),
  mounts: (value) => Array.isArray(value) && value.every(isMount),
  hidden: isStrings,
  readOnly: isStrings,
  devices: isStrings,
  memory: isAbsentOr('number'),
  pids: isAbsentOr('number'),
  cpus: isAbsentOr('number'),
}

const isPromised = (value: unknown): value is Promised =>
  isObject(value) && Object.entries(SHAPE).every(([name, check]) => check(value[name]))

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no plan of ours
  }
}

/**
 * What the bytes of a plan promise; undefined for a plan without, and for bytes that are none: they may come from
 * anywhere.
 */
export const decodePromise = (plan: Uint8Array): Promised | undefined => {
  const bytes = Buffer.from(plan.buffer, plan.byteOffset, plan.length)
  if (bytes.length < PLAN_DATA_AT + 4 || bytes.readUInt32LE(0) !== PLAN_MAGIC) return undefined
  const begin = bytes.readUInt32LE(PLAN_DATA_AT)
  const end = bytes.indexOf(0, begin + MARK.length)
  if (end < 0 || bytes.toString('latin1', begin, begin + MARK.length) !== MARK) return undefined
  const value = parse(bytes.toString('utf8', begin + MARK.length, end))
  return isPromised(value) ? value : undefined
}
