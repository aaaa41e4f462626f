import { parseMountOptions } from '../linux/mount-options.ts'
import { placeOf, refuse, show } from './fields.ts'
import type { Linux } from './linux.ts'
import type { Mount } from './mount.ts'
import type { LinuxNamespace, LinuxNamespaceType } from './namespaces.ts'

/** What of a specification depends on other parts of it. */
export interface Dependents {
  readonly hostname?: string | undefined
  readonly domainname?: string | undefined
  readonly mounts?: readonly Mount[] | undefined
  readonly linux?: Linux | undefined
}

type Find = (type: LinuxNamespaceType) => LinuxNamespace | undefined

const has = (list: object | undefined): boolean => list !== undefined && Object.keys(list).length > 0

/** The namespace that each of these is kept in: without one of its own, the container would change the host's. */
const checkNames = ({ hostname, domainname }: Dependents, find: Find, at: string): void => {
  for (const [property, value] of Object.entries({ hostname, domainname })) {
    if ((value ?? '') === '' || find('uts') !== undefined) continue
    refuse(placeOf(at, property), 'it would be the host’s own', 'Add {"type": "uts"} to linux.namespaces.')
  }
}

const checkPaths = (linux: Linux, find: Find, at: string): void => {
  for (const property of ['maskedPaths', 'readonlyPaths'] as const) {
    if (!has(linux[property]) || find('mount') !== undefined) continue
    refuse(placeOf(at, property), 'it would be for the whole host', 'Add {"type": "mount"} to linux.namespaces.')
  }
}

const checkUserNamespace = (linux: Linux, find: Find, at: string): void => {
  const user = find('user')
  for (const property of ['uidMappings', 'gidMappings'] as const) {
    const mapped = has(linux[property])
    if (mapped && user === undefined) {
      refuse(placeOf(at, property), 'there is no user namespace', 'Add {"type": "user"} to linux.namespaces.')
    }
    if (mapped && user?.path !== undefined) {
      refuse(placeOf(at, property), 'the user namespace that is joined has mappings already', 'Leave them out.')
    }
    if (!mapped && user !== undefined && user.path === undefined) {
      refuse(placeOf(at, property), 'a new user namespace needs at least one')
    }
  }
}

const checkTimeOffsets = ({ timeOffsets }: Linux, find: Find, at: string): void => {
  if (!has(timeOffsets)) return
  const time = find('time')
  if (time === undefined) {
    refuse(placeOf(at, 'timeOffsets'), 'there is no time namespace', 'Add {"type": "time"} to linux.namespaces.')
  }
  if (time?.path !== undefined) {
    refuse(placeOf(at, 'timeOffsets'), 'the clocks of the time namespace that is joined have been set', 'Leave it out.')
  }
}

const checkNetDevices = ({ netDevices }: Linux, find: Find, at: string): void => {
  if (!has(netDevices) || find('network') !== undefined) return
  refuse(placeOf(at, 'netDevices'), 'there is no network namespace to move them to', 'Add {"type": "network"}.')
}

/** Parameters of System V IPC, which belong to the ipc namespace (ipc_namespaces(7)). */
const IPC =
  /^(kernel\.(msg(max|mnb|mni)|sem|shm(all|max|mni|_rmid_forced)|(msg|sem|shm)_next_id|auto_msgmni)$|fs\.mqueue\.)/

/** The namespace that a kernel parameter belongs to; undefined for those of the whole host. */
const namespaceOf = (name: string): LinuxNamespaceType | undefined => {
  if (IPC.test(name)) return 'ipc'
  if (name.startsWith('net.')) return 'network'
  if (name === 'kernel.domainname' || name === 'kernel.hostname') return 'uts'
  return name.startsWith('user.') ? 'user' : undefined
}

/** sysctl(8): where a name is written with slashes, its dots are part of it, and the other way round. */
const withDots = (name: string): string =>
  /^[^./]*\//.test(name) ? name.replace(/[./]/g, (each) => (each === '/' ? '.' : '/')) : name

const checkSysctl = ({ sysctl = {} }: Linux, { hostname }: Dependents, find: Find, at: string): void => {
  for (const name of Object.keys(sysctl)) {
    const place = placeOf(placeOf(at, 'sysctl'), name)
    const dotted = withDots(name)
    const type = namespaceOf(dotted)
    if (type === undefined) return refuse(place, 'it is of the whole host, and none of a container’s')
    if (dotted === 'kernel.hostname' && (hostname ?? '') !== '') refuse(place, 'there is the property hostname for it')
    if (find(type) === undefined) {
      refuse(place, 'it would be set for the host', `Add {"type": "${type}"} to linux.namespaces.`)
    }
  }
}

const checkMount = (mount: Mount, find: Find, at: string): void => {
  const { bind, idmap, data, remount } = parseMountOptions(mount.options ?? [])
  const isBind = bind !== undefined || mount.type === 'bind'
  const mapped = has(mount.uidMappings)
  if (idmap !== undefined && !mapped && find('user') === undefined) {
    refuse(placeOf(at, 'options'), `${idmap} needs uidMappings and gidMappings, or a user namespace`)
  }
  if ((idmap !== undefined || mapped) && !isBind) {
    refuse(at, 'ids are mapped for bind mounts only', 'Leave out idmap, uidMappings and gidMappings.')
  }
  const [first] = data
  if (isBind && !remount && first !== undefined) {
    refuse(placeOf(at, 'options'), `a bind mount can’t change what is the file system’s: ${show(first.key)}`)
  }
  if (isBind && (mount.source ?? '') === '') refuse(placeOf(at, 'source'), 'a bind mount needs one')
}

/**
 * Refuses properties that contradict each other, above all what a namespace would have to keep in and there is none:
 * to apply it would change the host. Throws InputError at the first, naming its place.
 */
export const checkConsistency = (spec: Dependents, at: string): void => {
  const { linux = {} } = spec
  const find: Find = (type) => linux.namespaces?.find((each) => each.type === type)
  const within = placeOf(at, 'linux')
  checkNames(spec, find, at)
  checkPaths(linux, find, within)
  checkUserNamespace(linux, find, within)
  checkTimeOffsets(linux, find, within)
  checkNetDevices(linux, find, within)
  checkSysctl(linux, spec, find, within)
  for (const [index, mount] of (spec.mounts ?? []).entries())
    checkMount(mount, find, `${placeOf(at, 'mounts')}[${index}]`)
}
