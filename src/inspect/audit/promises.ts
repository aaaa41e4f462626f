import type { CapabilitySet } from '../../linux/capability.ts'
import { capabilityNames, hasCapability } from '../../linux/capability.ts'
import type { CgroupLayout } from '../../linux/cgroup/layout.ts'
import type { IdMapping } from '../../linux/idmap.ts'
import { parseIdMap } from '../../linux/idmap.ts'
import type { MountInfo } from '../../linux/mountinfo.ts'
import { NAMESPACE_KINDS } from '../../linux/namespace.ts'
import { FILESYSTEM_MAGIC, filesystemStatus } from '../../linux/statfs.ts'
import type { Promised, PromisedMount } from '../../runtime/promise.ts'
import { formatBytes } from '../../runtime/units.ts'
import { deviceNodes } from './device-nodes.ts'
import type { EffectiveLimit } from './effective-limits.ts'
import { effectiveLimits } from './effective-limits.ts'
import type { Wall } from './finding.ts'
import { isBelow, isOutOfReach, isPrompt, lookAt } from './reach.ts'
import type { Subject } from './subject.ts'

/** One thing that a container of Tare's was promised, and what was found in its place. */
export interface PromiseCheck {
  readonly wall: Wall
  /** A few words without a full stop. */
  readonly promised: string
  readonly found: string
  /** Undefined where that can't be seen. */
  readonly kept: boolean | undefined
}

const namespaces = ({ namespaces: own }: Subject, { namespaces: promised }: Promised): PromiseCheck => {
  const kinds = NAMESPACE_KINDS.filter((kind) => promised.includes(kind) && own[kind] !== undefined)
  const shared = kinds.filter((kind) => own[kind]?.shared === true)
  return {
    wall: 'namespaces',
    promised: `its own ${kinds.join(', ')}`,
    found: shared.length === 0 ? 'its own' : `the host's ${shared.join(', ')}`,
    kept: shared.length === 0,
  }
}

const mapText = (mappings: readonly IdMapping[]): string =>
  mappings.map(({ inside, outside, size }) => `${inside} ${outside} ${size}`).join(', ')

const isSuperset = (outer: CapabilitySet, inner: CapabilitySet): boolean => (inner & ~outer) === 0n

const ids = (subject: Subject, { uids, gids }: Promised): readonly PromiseCheck[] => {
  const check = (promised: string | undefined, found: readonly IdMapping[], which: string): readonly PromiseCheck[] => {
    if (promised === undefined) return []
    const wanted = mapText(parseIdMap(promised))
    return [{ wall: 'ids', promised: `${which} ${wanted}`, found: mapText(found), kept: wanted === mapText(found) }]
  }
  return [...check(uids, subject.uids, 'user ids'), ...check(gids, subject.gids, 'group ids')]
}

const capabilities = ({ capabilities: found }: Subject, promised: Promised): PromiseCheck => {
  const permitted = BigInt(`0x${promised.permitted}`)
  const bounding = BigInt(`0x${promised.bounding}`)
  const more = (found.permitted & ~permitted) | (found.bounding & ~bounding)
  return {
    wall: 'capabilities',
    promised: `at most ${capabilityNames(bounding).length}`,
    found: more === 0n ? `${capabilityNames(found.bounding).length}` : `also ${capabilityNames(more).join(', ')}`,
    kept: isSuperset(permitted, found.permitted) && isSuperset(bounding, found.bounding),
  }
}

const privileges = ({ status }: Subject, { noNewPrivileges }: Promised): readonly PromiseCheck[] =>
  noNewPrivileges
    ? [
        {
          wall: 'privileges',
          promised: 'no_new_privs',
          found: status.noNewPrivs ? 'set' : 'not set',
          kept: status.noNewPrivs,
        },
      ]
    : []

/** PID 1 itself has no filter, as it must let programs in; whoever is filtered is so for good. */
const filter = (subject: Subject, { filter: instructions }: Promised, isInit: boolean): readonly PromiseCheck[] => {
  if (instructions === 0) return []
  const isFiltered = subject.status.seccomp === 'filter'
  return [
    {
      wall: 'seccomp',
      promised: `a filter of ${instructions} instructions`,
      found: isFiltered ? `${subject.status.seccompFilters ?? 'a'} filter` : isInit ? 'PID 1, which has none' : 'none',
      kept: isFiltered ? true : isInit ? undefined : false,
    },
  ]
}

const FLAGS = ['ro', 'nosuid', 'nodev', 'noexec'] as const

const flagsOf = ({ options }: MountInfo): string => FLAGS.filter((flag) => options.includes(flag)).join(', ') || 'rw'

/** The mount that is seen at a place: the last one there. */
const mountAt = (subject: Subject, place: string): MountInfo | undefined =>
  subject.mounts.findLast(({ mountPoint }) => mountPoint === place)

const mount = (subject: Subject, { target, options }: PromisedMount): PromiseCheck => {
  const wanted = FLAGS.filter((flag) => options.includes(flag))
  const promised = `${target}: ${wanted.join(', ') || 'rw'}`
  const found = mountAt(subject, target)
  if (found !== undefined)
    return {
      wall: 'files',
      promised,
      found: flagsOf(found),
      kept: wanted.every((flag) => found.options.includes(flag)),
    }
  // A link of the image may have led it elsewhere.
  const isThere = lookAt(subject, target, () => true) === true
  return {
    wall: 'files',
    promised,
    found: isThere ? 'not mounted' : 'not at that path',
    kept: isThere ? false : undefined,
  }
}

const root = (subject: Subject, { readOnlyRoot }: Promised): readonly PromiseCheck[] => {
  const found = mountAt(subject, '/')
  if (!readOnlyRoot || found === undefined) return []
  return [{ wall: 'root', promised: '/: ro', found: flagsOf(found), kept: found.options.includes('ro') }]
}

/** What Tare mounts in each container. */
const ALWAYS = ['/', '/proc', '/sys', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/dev/console'] as const

/** Whether what a mount shows is a part of what another one does. */
const shows = (outer: MountInfo, inner: MountInfo): boolean =>
  outer.major === inner.major && outer.minor === inner.minor && isBelow(inner.root, outer.root)

/** Whether it may mount what is in its reach, in a user namespace of its own: the init of a system does. */
const mayMount = ({ permitted, namespaces: own }: Promised): boolean =>
  own.includes('user') && hasCapability(BigInt(`0x${permitted}`), 'CAP_SYS_ADMIN')

/** Mounts that are none of those that were promised. */
const strangers = (subject: Subject, promised: Promised): PromiseCheck => {
  const places = new Set<string>([
    ...ALWAYS,
    ...promised.mounts.map(({ target }) => target),
    ...promised.devices,
    ...promised.hidden,
    ...promised.readOnly,
  ])
  const whole = ['/sys', ...promised.mounts.filter(({ recursive }) => recursive).map(({ target }) => target)]
  const isGiven = ({ mountPoint }: MountInfo): boolean =>
    places.has(mountPoint) || whole.some((directory) => isBelow(mountPoint, directory))
  const given = subject.mounts.filter(isGiven)
  const others = subject.mounts.filter((each) => !isGiven(each))
  const own = mayMount(promised)
  const isOwn = (each: MountInfo): boolean =>
    !subject.host.mounts.some(({ major, minor }) => major === each.major && minor === each.minor) ||
    given.some((mounted) => shows(mounted, each))
  const found = others.filter((each) => !own || !isOwn(each)).map(({ mountPoint }) => mountPoint)
  const isRead = promised.mounts.every(({ target }) => mountAt(subject, target) !== undefined)
  return {
    wall: 'files',
    promised: own ? 'no other mounts but its own' : 'no other mounts',
    found: found.length > 0 ? found.join(', ') : others.length > 0 ? `${others.length} of its own` : 'none',
    kept: found.length === 0 ? true : isRead ? false : undefined,
  }
}

type Look = (fd: number, subject: Subject) => boolean

const isHidden: Look = (fd, subject) => {
  // What could let us wait is nothing of the kernel's.
  if (!isPrompt(subject, fd)) return true
  const { magic } = filesystemStatus(fd)
  return magic !== FILESYSTEM_MAGIC.proc && magic !== FILESYSTEM_MAGIC.sysfs
}

const isReadOnly: Look = (fd, subject) => isHidden(fd, subject) || filesystemStatus(fd).readOnly

const kernelPaths = (subject: Subject, paths: readonly string[], word: string, look: Look): PromiseCheck => {
  const there = paths.flatMap((path) => {
    const holds = lookAt(subject, path, (fd) => look(fd, subject))
    return holds === undefined ? [] : [{ path, holds }]
  })
  const broken = there.filter(({ holds }) => !holds).map(({ path }) => path)
  const unseen = paths.filter((path) => isOutOfReach(subject, path))
  const kept = broken.length > 0 ? false : unseen.length > 0 ? undefined : true
  const words = kept === true ? word : kept === false ? `not ${word}: ${broken.join(', ')}` : 'out of reach'
  return {
    wall: 'kernel',
    promised: `${word}: ${[...there.map(({ path }) => path), ...unseen].join(', ')}`,
    found: words,
    kept,
  }
}

const devices = (subject: Subject, promised: Promised): PromiseCheck => {
  const nodes = deviceNodes(subject)?.nodes.map(({ name }) => `/dev/${name}`)
  const more = nodes?.filter(
    (path) => !promised.devices.includes(path) && !isBelow(path, '/dev/pts') && path !== '/dev/console',
  )
  const names = promised.devices.map((path) => path.slice('/dev/'.length)).join(', ')
  return {
    wall: 'devices',
    promised: `no devices but ${names}`,
    found:
      more === undefined ? 'its /dev can not be entered' : more.length === 0 ? 'no others' : `also ${more.join(', ')}`,
    kept: more === undefined ? undefined : more.length === 0,
  }
}

const limits = (subject: Subject, layout: CgroupLayout, { memory, pids, cpus }: Promised): readonly PromiseCheck[] => {
  const found = effectiveLimits(subject, layout)
  const check = (
    what: string,
    promised: number | undefined,
    limit: EffectiveLimit | 'unknown',
    format: (value: number) => string,
  ): readonly PromiseCheck[] => {
    if (promised === undefined) return []
    const value = limit === 'unknown' ? undefined : limit.value
    return [
      {
        wall: 'limits',
        promised: `${what}: ${format(promised)}`,
        found: limit === 'unknown' ? 'its group is out of sight' : value === undefined ? 'no limit' : format(value),
        kept: limit === 'unknown' ? undefined : value !== undefined && value <= promised,
      },
    ]
  }
  return [
    ...check('memory', memory, found.memory, formatBytes),
    ...check('processes', pids, found.pids, String),
    ...check('processors', cpus, found.cpus, String),
  ]
}

/** Holds a container of Tare's against what it was promised. `isInit`: it is looked at by its PID 1, Tare's own. */
export const checkPromises = (
  subject: Subject,
  layout: CgroupLayout,
  promised: Promised,
  isInit: boolean,
): readonly PromiseCheck[] => [
  namespaces(subject, promised),
  ...ids(subject, promised),
  capabilities(subject, promised),
  ...privileges(subject, promised),
  ...filter(subject, promised, isInit),
  ...root(subject, promised),
  ...promised.mounts.map((each) => mount(subject, each)),
  strangers(subject, promised),
  kernelPaths(subject, promised.hidden, 'hidden', isHidden),
  kernelPaths(subject, promised.readOnly, 'read-only', isReadOnly),
  devices(subject, promised),
  ...limits(subject, layout, promised),
]
