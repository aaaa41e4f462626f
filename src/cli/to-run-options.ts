import type { ContainerOptions, DeviceRate, RunOptions } from '../index.ts'
import type { IdMapping } from '../linux/index.ts'
import type { OptionValues } from './options.ts'
import { parseMount, parseTmpfs, parseVolume } from './run-mounts.ts'
import type { RUN_OPTIONS } from './run-options.ts'
import { parseSeccompProfile } from './seccomp-profile.ts'
import { UsageError } from './usage-error.ts'
import { wrongValue } from './wrong-value.ts'

/** The values of the options of `tare run`. */
export type RunValues = OptionValues<typeof RUN_OPTIONS>

/** Where values come from that aren't on the command line. */
export interface RunSource {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file of the host. Throws an error that was worded for people; `what` says what the file is. */
  readonly readFile: (path: string, what: string) => string
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

/** What of the properties was given. */
function given<T extends object>(properties: T): Defined<T>
function given(properties: object): object {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined))
}

const list = <T>(items: readonly T[]): readonly T[] | undefined => (items.length === 0 ? undefined : items)

/** `NAME=VALUE`, both there. */
const pair = (option: string, value: string): readonly [name: string, value: string] => {
  const equals = value.indexOf('=')
  if (equals > 0) return [value.slice(0, equals), value.slice(equals + 1)]
  throw wrongValue(option, value, 'it is not NAME=VALUE')
}

const pairs = (option: string, values: readonly string[]): Readonly<Record<string, string>> | undefined =>
  values.length === 0 ? undefined : Object.fromEntries(values.map((value) => pair(option, value)))

const whole = (option: string, value: string | undefined): number | undefined => {
  if (value === undefined) return undefined
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw wrongValue(option, value, 'it is not a whole number')
}

const pidsLimit = (value: string | undefined): number | undefined =>
  // The library has 0 for no limit, docker also -1.
  value === '-1' ? 0 : whole('pids-limit', value)

const umask = (value: string | undefined): number | undefined => {
  if (value === undefined) return undefined
  if (/^0?[0-7]{1,3}$/.test(value)) return Number.parseInt(value, 8)
  throw wrongValue('umask', value, 'it is no mask of permission bits', 'Write it in octal: 0022.')
}

const ulimits = (values: readonly string[]): ContainerOptions['ulimits'] =>
  values.length === 0
    ? undefined
    : Object.fromEntries(
        values.map((value): readonly [string, string | readonly [string, string]] => {
          const [name, text] = pair('ulimit', value)
          const [soft = '', hard, ...rest] = text.split(':')
          if (rest.length > 0) throw wrongValue('ulimit', value, 'it is not NAME=SOFT[:HARD]')
          return [name, hard === undefined ? soft : [soft, hard]]
        }),
      )

const idMappings = (option: string, values: readonly string[]): readonly IdMapping[] | undefined =>
  list(
    values.map((value): IdMapping => {
      const match = /^(\d{1,10}):(\d{1,10})(?::(\d{1,10}))?$/.exec(value)
      if (match === null)
        throw wrongValue(option, value, 'it is not INSIDE:OUTSIDE[:SIZE]', `Write --${option}=0:100000:65536.`)
      return { inside: Number(match[1]), outside: Number(match[2]), size: Number(match[3] ?? 1) }
    }),
  )

const deviceRates = (option: string, values: readonly string[]): readonly DeviceRate[] | undefined =>
  list(
    values.map((value): DeviceRate => {
      const colon = value.lastIndexOf(':')
      const [device, rate] = [value.slice(0, Math.max(0, colon)), value.slice(colon + 1)]
      if (device === '' || rate === '')
        throw wrongValue(option, value, 'it is not DEVICE:RATE', `Write --${option}=/dev/sda:10m.`)
      return { device, rate }
    }),
  )

/** The lines of a file of variables: NAME=VALUE, or NAME for the caller's; `#` begins a comment line. */
const envFile = (text: string): readonly string[] =>
  text
    .split('\n')
    .map((line) => line.trimStart().replace(/\r$/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))

/** Variables in the order in which they are given; undefined for one of the caller's that isn't set. */
const variables = (values: RunValues, { env, readFile }: RunSource): ContainerOptions['env'] => {
  const fromFiles = values['env-file'].flatMap((path) => envFile(readFile(path, 'the file of variables')))
  const all = [...fromFiles, ...values.env]
  if (all.length === 0) return undefined
  return Object.fromEntries(
    all.map((text): readonly [string, string | undefined] => {
      const equals = text.indexOf('=')
      if (text === '' || equals === 0) throw wrongValue('env', text, 'a variable has a name')
      if (equals < 0) return [text, Object.hasOwn(env, text) ? env[text] : undefined]
      return [text.slice(0, equals), text.slice(equals + 1)]
    }),
  )
}

const TRUE = ['', 'true', '1']
const FALSE = ['false', '0']

type SecurityOptions = Pick<ContainerOptions, 'seccomp' | 'noNewPrivileges'>

/** One --security-opt; docker separates its value by "=" or ":". */
const securityOption = (text: string, { readFile }: RunSource): SecurityOptions => {
  const [, name = '', value = ''] = /^([^=:]*)[=:]?(.*)$/s.exec(text) ?? []
  switch (name) {
    case 'seccomp':
      if (value === 'default' || value === 'unconfined') return { seccomp: value }
      if (value === '') throw wrongValue('security-opt', text, 'it names no profile')
      return { seccomp: parseSeccompProfile(value, readFile(value, 'a seccomp profile')) }
    case 'no-new-privileges':
      if (TRUE.includes(value)) return { noNewPrivileges: true }
      if (FALSE.includes(value)) return { noNewPrivileges: false }
      throw wrongValue('security-opt', text, 'it is neither true nor false')
    case 'apparmor':
    case 'label':
      throw wrongValue('security-opt', text, 'there is no AppArmor or SELinux labelling yet', 'Leave it out.')
    default:
      throw wrongValue('security-opt', text, 'there is no such option', 'There is seccomp and no-new-privileges.')
  }
}

const words = (values: readonly string[]): readonly string[] | undefined =>
  list(values.flatMap((value) => value.split(',')).filter((word) => word !== ''))

const network = ({ network: one, net: other }: RunValues): string | undefined => {
  if (one !== undefined && other !== undefined)
    throw new UsageError('cannot use both --network and --net: they are the same', 'Leave one out.')
  return one ?? other
}

const isNetwork = (value: string | undefined): value is ContainerOptions['network'] =>
  value === undefined || value === 'none' || value === 'host' || value === 'veth'

const isUserns = (value: string | undefined): value is ContainerOptions['userns'] =>
  value === undefined || value === 'auto' || value === 'host' || value === 'keep-id'

const refuse = ({ detach, privileged }: RunValues): void => {
  if (detach === true)
    throw new UsageError(
      'cannot use --detach: a container ends with the tare that started it, for now',
      'Leave it in the background of a shell: tare run COMMAND &',
    )
  if (privileged === true)
    throw new UsageError(
      'cannot use --privileged: nothing takes all walls down at once',
      'Name what it needs: --cap-add, --device, --security-opt=seccomp=unconfined, --userns=host, --network=host.',
    )
}

/**
 * The library's options for what the command line says. What to do with standard input and output isn't among them.
 * Reads nothing but through `source`. Throws {@link UsageError} for a value that can't be understood.
 */
export const toRunOptions = (values: RunValues, source: RunSource): RunOptions => {
  refuse(values)
  const { rootfs, overlay, keep, hostname, workdir, user, timeout, memory, cpus, userns, init, tty } = values
  const net = network(values)
  if (!isNetwork(net) || !isUserns(userns)) throw new UsageError('cannot use these options: a choice is unknown')
  if (overlay === false && keep !== undefined)
    throw wrongValue('keep', keep, 'changes are kept by an overlay, which --no-overlay leaves out')
  const mounts = [...values.volume.map(parseVolume), ...values.mount.map(parseMount), ...values.tmpfs.map(parseTmpfs)]
  const security = values['security-opt'].reduce<SecurityOptions>(
    (all, text) => ({ ...all, ...securityOption(text, source) }),
    {},
  )
  const unified = pairs('cgroup', values.cgroup)
  return {
    ...security,
    ...given({
      rootfs,
      overlay: keep ?? overlay,
      readOnly: values['read-only'],
      rootSize: values['root-size'],
      mounts: list(mounts),
      devices: list(values.device),
      workdir,
      env: variables(values, source),
      user,
      groups: list(values['group-add']),
      hostname,
      umask: umask(values.umask),
      ulimits: ulimits(values.ulimit),
      sysctls: pairs('sysctl', values.sysctl),
      capAdd: words(values['cap-add']),
      capDrop: words(values['cap-drop']),
      init,
      network: net,
      publish: list(values.publish),
      ip: values.ip,
      dns: list(values.dns),
      userns,
      uidMappings: idMappings('uidmap', values.uidmap),
      gidMappings: idMappings('gidmap', values.gidmap),
      memory,
      memorySwap: values['memory-swap'],
      memoryReservation: values['memory-reservation'],
      cpus,
      cpuShares: whole('cpu-shares', values['cpu-shares']),
      cpusetCpus: values['cpuset-cpus'],
      cpusetMems: values['cpuset-mems'],
      pids: pidsLimit(values['pids-limit']),
      blkioWeight: whole('blkio-weight', values['blkio-weight']),
      deviceReadBps: deviceRates('device-read-bps', values['device-read-bps']),
      deviceWriteBps: deviceRates('device-write-bps', values['device-write-bps']),
      deviceReadIops: deviceRates('device-read-iops', values['device-read-iops']),
      deviceWriteIops: deviceRates('device-write-iops', values['device-write-iops']),
      cgroup: unified === undefined ? undefined : { unified },
      timeout,
      tty,
    }),
  }
}
