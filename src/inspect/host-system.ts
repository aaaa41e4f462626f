import type { HostItem, HostSource } from './host-source.ts'
import { callsItem, isAtLeast, isFiltered, readNumber } from './host-source.ts'

const kernel = ({ release }: HostSource): HostItem => {
  const item = { id: 'kernel', name: 'Linux', group: 'host', detail: release } as const
  if (isAtLeast(release, 5, 14)) return { ...item, state: 'yes' }
  return { ...item, state: 'no', remedy: 'Use Linux 5.14 or newer.' }
}

const architecture = ({ arch }: HostSource): HostItem => {
  const item = { id: 'architecture', name: 'architecture', group: 'host', detail: arch } as const
  if (arch === 'x64' || arch === 'arm64') return { ...item, state: 'yes' }
  return { ...item, state: 'no', remedy: 'Use an x86-64 or arm64 machine.' }
}

const node = ({ node: version }: HostSource): HostItem => {
  const item = { id: 'node', name: 'Node', group: 'host', detail: version } as const
  if (isAtLeast(version, 20, 19)) return { ...item, state: 'yes' }
  return { ...item, state: 'no', remedy: 'Use Node 20.19 or newer.' }
}

/** Whether something contains this process itself, and so may refuse what containers are made of. */
const confinement = (host: HostSource): HostItem => {
  const item = { id: 'confinement', name: 'not confined itself', group: 'host' } as const
  const noNewPrivs = /^NoNewPrivs:\s*1$/m.test(host.read('/proc/self/status') ?? '')
  const found = [
    ...(isFiltered(host) ? ['a seccomp filter'] : []),
    ...(noNewPrivs ? ['no_new_privs (set-user-id programs such as newuidmap do not work)'] : []),
  ]
  if (found.length === 0) return { ...item, state: 'yes', detail: 'no seccomp filter, no no_new_privs' }
  const remedy = 'Start Tare outside of the container or service that sets this, or have it set less.'
  return { ...item, state: 'limited', detail: `this process is under ${found.join(' and ')}`, remedy }
}

/** What the system is: kernel, architecture, Node, and what already contains this process. */
export const systemItems = (host: HostSource): readonly HostItem[] => [
  kernel(host),
  architecture(host),
  node(host),
  confinement(host),
]

const pidfd = (host: HostSource): HostItem =>
  callsItem(
    { id: 'pidfd', name: 'pidfd', group: 'processes' },
    host,
    [
      ['pidfd_open', -1, 0],
      ['pidfd_send_signal', -1, 0, null, 0],
      ['pidfd_getfd', -1, -1, 0],
    ],
    '5.6',
  )

const clone = (host: HostSource): HostItem =>
  callsItem(
    { id: 'clone3', name: 'clone3, close_range', group: 'processes' },
    host,
    [
      ['clone3', null, 0],
      // First past last: refused before anything is closed.
      ['close_range', 1, 0, 0],
    ],
    '5.9',
  )

const IO_URING_DETAILS = ['on', 'for the group kernel.io_uring_group and the privileged only', 'off'] as const

const ioUring = (host: HostSource): HostItem => {
  const item = { id: 'io-uring', name: 'io_uring', group: 'processes' } as const
  const probe = callsItem(item, host, [['io_uring_setup', 0, null]], '5.1')
  if (probe.state !== 'yes') return { ...probe, remedy: 'Programs that need it: use a kernel that has it, unfiltered.' }
  const disabled = readNumber(host, '/proc/sys/kernel/io_uring_disabled') ?? 0
  const detail = IO_URING_DETAILS[disabled] ?? `kernel.io_uring_disabled is ${disabled}`
  if (disabled === 0) return { ...item, state: 'yes', detail }
  const remedy = 'For programs that need it: sysctl -w kernel.io_uring_disabled=0'
  return { ...item, state: disabled === 1 ? 'limited' : 'no', detail, remedy }
}

/** What starting and following processes is made of. */
export const processItems = (host: HostSource): readonly HostItem[] => [pidfd(host), clone(host), ioUring(host)]
