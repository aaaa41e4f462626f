import type { Amount, CgroupLimits } from '../../linux/cgroup/limits.ts'
import { InputError } from '../../linux/error.ts'
import type { IdMapping } from '../../linux/idmap.ts'
import type { SeccompProfile } from '../../linux/seccomp/profile.ts'
import { validateSeccompProfile } from '../../linux/seccomp/profile.ts'
import type { PublishedPort } from '../../network/published-port.ts'
import type { BootOptions } from '../boot-options.ts'
import type { BindMount, DeviceRate, MountOption, OverlayMount, TmpfsMount } from '../options.ts'
import { JsonFault, plainJson } from './json-source.ts'
import type { Fields, Shape } from './shape.ts'
import { either, flag, list, number, object, oneOf, record, size, text, whole } from './shape.ts'

const numberOrText = either(number, text, 'a number or text')

const mapping = object<IdMapping>({ inside: whole, outside: whole, size: whole }, ['inside', 'outside', 'size'])

const rates = list(object<DeviceRate>({ device: text, rate: size }, ['device', 'rate']))

const bind = object<BindMount>(
  {
    type: oneOf(['bind']),
    source: text,
    target: text,
    readOnly: flag,
    recursive: flag,
    propagation: oneOf(['private', 'shared', 'slave', 'unbindable']),
    noExec: flag,
    privileged: flag,
    idmap: flag,
  },
  ['source', 'target'],
)

const tmpfs = object<TmpfsMount>(
  { type: oneOf(['tmpfs']), target: text, size, mode: whole, readOnly: flag, exec: flag },
  ['type', 'target'],
)

const overlay = object<OverlayMount>(
  {
    type: oneOf(['overlay']),
    lower: either(text, list(text), 'a path or a list of paths'),
    target: text,
    keep: text,
    readOnly: flag,
  },
  ['type', 'lower', 'target'],
)

/** What it is says its type: so what is wrong with it can be said by what that type has. */
const mount: Shape<MountOption> = {
  schema: { anyOf: [bind.schema, tmpfs.schema, overlay.schema] },
  read: (node, name) => {
    const member = node.value instanceof Map ? node.value.get('type') : undefined
    const type = member === undefined ? 'bind' : oneOf(['bind', 'tmpfs', 'overlay']).read(member.node, `${name}.type`)
    if (type === 'tmpfs') return tmpfs.read(node, name)
    return type === 'overlay' ? overlay.read(node, name) : bind.read(node, name)
  },
}

const soft = list(numberOrText)

/** One limit for both, or the soft and the hard one. */
const ulimit: Shape<number | string | readonly [number | string, number | string]> = {
  schema: { anyOf: [numberOrText.schema, { ...soft.schema, minItems: 2, maxItems: 2 }] },
  read: (node, name) => {
    if (!Array.isArray(node.value)) return numberOrText.read(node, name)
    const [first, second, ...rest] = soft.read(node, name)
    if (first !== undefined && second !== undefined && rest.length === 0) return [first, second]
    throw new JsonFault(node.line, `${name}: it is not a soft and a hard limit`)
  },
}

const profile: Shape<SeccompProfile> = {
  schema: { type: 'object' },
  read: (node, name) => {
    try {
      return validateSeccompProfile(plainJson(node), name)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      const [first = ''] = error.message.split('\n')
      throw new JsonFault(node.line, first.replace(/^cannot /, ''), error.hint)
    }
  },
}

const amount: Shape<Amount> = either(whole, oneOf(['max']), 'a whole number or "max"')

const cgroup = object<CgroupLimits>({
  cpu: object<NonNullable<CgroupLimits['cpu']>>({
    weight: whole,
    shares: whole,
    quota: amount,
    period: whole,
    burst: whole,
    idle: flag,
    realtimeRuntime: whole,
    realtimePeriod: whole,
  }),
  cpuset: object<NonNullable<CgroupLimits['cpuset']>>({ cpus: text, mems: text }),
  memory: object<NonNullable<CgroupLimits['memory']>>({
    max: amount,
    high: amount,
    low: amount,
    min: amount,
    swap: amount,
    soft: amount,
    oomGroup: flag,
    swappiness: whole,
    oomKillDisable: flag,
    kernelTcp: amount,
  }),
  io: object<NonNullable<CgroupLimits['io']>>({
    weight: whole,
    blkioWeight: whole,
    devices: list(
      object<NonNullable<NonNullable<CgroupLimits['io']>['devices']>[number]>(
        {
          major: whole,
          minor: whole,
          weight: whole,
          readBytes: amount,
          writeBytes: amount,
          readOps: amount,
          writeOps: amount,
        },
        ['major', 'minor'],
      ),
    ),
  }),
  pids: amount,
  devices: list(
    object<NonNullable<CgroupLimits['devices']>[number]>(
      { allow: flag, type: oneOf(['a', 'b', 'c']), major: whole, minor: whole, access: text },
      ['allow', 'type', 'access'],
    ),
  ),
  hugetlb: list(
    object<NonNullable<CgroupLimits['hugetlb']>[number]>({ pageSize: text, max: amount }, ['pageSize', 'max']),
  ),
  rdma: record(object<NonNullable<CgroupLimits['rdma']>[string]>({ hcaHandles: amount, hcaObjects: amount })),
  netClass: whole,
  netPriorities: record(whole),
  unified: record(text),
})

const port = object<PublishedPort>(
  { hostAddress: text, hostPort: whole, port: whole, transport: oneOf(['tcp', 'udp']) },
  ['hostPort', 'port'],
)

/** A variable; null for one that is not to be there. */
const variable: Shape<string | undefined> = {
  schema: { type: ['string', 'null'] },
  read: (node, name) => (node.value === null ? undefined : text.read(node, name)),
}

/** Memory and swap together; -1 for any amount of it. */
const swap: Shape<number | string> = {
  schema: { anyOf: [size.schema, { const: -1 }] },
  read: (node, name) => (node.value === -1 || node.value === '-1' ? -1 : size.read(node, name)),
}

const filter = oneOf(['default', 'unconfined'])

const seccomp: Shape<NonNullable<BootOptions['seccomp']>> = {
  schema: { anyOf: [filter.schema, profile.schema] },
  read: (node, name) => (typeof node.value === 'string' ? filter.read(node, name) : profile.read(node, name)),
}

const FIELDS: Fields<BootOptions> = {
  memory: size,
  memorySwap: swap,
  memoryReservation: size,
  cpus: numberOrText,
  cpuShares: whole,
  cpusetCpus: text,
  cpusetMems: text,
  pids: whole,
  blkioWeight: whole,
  deviceReadBps: rates,
  deviceWriteBps: rates,
  deviceReadIops: rates,
  deviceWriteIops: rates,
  cgroup,
  mounts: list(mount),
  network: oneOf(['none', 'host', 'veth']),
  publish: list(either(text, port, 'HOSTPORT:PORT, or an object')),
  ip: text,
  dns: list(text),
  hostname: text,
  uidMappings: list(mapping),
  gidMappings: list(mapping),
  ephemeral: flag,
  rootSize: size,
  init: text,
  arguments: list(text),
  env: record(variable),
  console: object<NonNullable<BootOptions['console']>>({ columns: whole, rows: whole }, ['columns', 'rows']),
  ulimits: record(ulimit),
  sysctls: record(numberOrText),
  devices: list(text),
  capAdd: list(text),
  capDrop: list(text),
  seccomp,
}

/** What a machine's settings may be: all that a system can be booted with. */
export const BOOT_SHAPE: Shape<BootOptions> = object<BootOptions>(FIELDS)
