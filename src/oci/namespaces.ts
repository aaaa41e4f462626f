import type { NamespaceKind } from '../linux/namespace.ts'
import type { Integer, Read } from './fields.ts'
import { absolutePath, arrayOf, Fields, int64, integer, mapOf, oneOf, placeOf, refuse, refuseTwice } from './fields.ts'

/** The specification's names of namespaces. */
export const NAMESPACE_TYPES = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'] as const

export type LinuxNamespaceType = (typeof NAMESPACE_TYPES)[number]

const KINDS: Readonly<Record<LinuxNamespaceType, NamespaceKind>> = {
  pid: 'pid',
  network: 'net',
  mount: 'mnt',
  ipc: 'ipc',
  uts: 'uts',
  user: 'user',
  cgroup: 'cgroup',
  time: 'time',
}

/** The kernel's name for a type: `net` for `network`. */
export const namespaceKind = (type: LinuxNamespaceType): NamespaceKind => KINDS[type]

/** An entry of `linux.namespaces`: made anew, or, with a path, joined. */
export interface LinuxNamespace {
  readonly type: LinuxNamespaceType
  /** Absolute, on the host. */
  readonly path?: string | undefined
}

const readNamespace: Read<LinuxNamespace> = (value, at) => {
  const fields = new Fields(value, at)
  const path = fields.optional('path', (given, place) => (given === '' ? undefined : absolutePath(given, place)))
  return { type: fields.required('type', oneOf(NAMESPACE_TYPES)), path }
}

/** Reads `linux.namespaces`, no type twice. */
export const readNamespaces: Read<readonly LinuxNamespace[]> = (value, at) => {
  const namespaces = arrayOf(readNamespace)(value, at)
  refuseTwice(namespaces, at, ({ type }) => type)
  return namespaces
}

/** The clocks that a time namespace moves (time_namespaces(7)). */
export const TIME_CLOCKS = ['monotonic', 'boottime'] as const

export type TimeClock = (typeof TIME_CLOCKS)[number]

export interface LinuxTimeOffset {
  readonly secs?: Integer | undefined
  readonly nanosecs?: number | undefined
}

export type LinuxTimeOffsets = { readonly [clock in TimeClock]?: LinuxTimeOffset | undefined }

const readTimeOffset: Read<LinuxTimeOffset> = (value, at) => {
  const fields = new Fields(value, at)
  return { secs: fields.optional('secs', int64), nanosecs: fields.optional('nanosecs', integer(0, 999_999_999)) }
}

/** Reads `linux.timeOffsets`, whose keys are the clocks. */
export const readTimeOffsets: Read<LinuxTimeOffsets> = (value, at) => {
  const offsets = mapOf(readTimeOffset)(value, at)
  for (const clock of Object.keys(offsets)) {
    if (!TIME_CLOCKS.some((known) => known === clock))
      refuse(
        placeOf(at, clock),
        `${clock} is no clock that a time namespace moves`,
        `One of ${TIME_CLOCKS.join(', ')}.`,
      )
  }
  return offsets
}
