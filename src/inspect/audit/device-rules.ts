import type { CgroupHierarchy, CgroupLayout } from '../../linux/cgroup/layout.ts'
import { cgroupDirectory } from '../../linux/cgroup/layout.ts'
import { countDevicePrograms } from '../../linux/cgroup/device-query.ts'
import { tryReadFile } from '../../linux/cgroup/file.ts'
import type { DeviceNumbers } from '../../linux/device-number.ts'
import type { Subject } from './subject.ts'

/** One line of devices.list: what is allowed. */
interface Allowed {
  readonly type: 'a' | 'b' | 'c'
  readonly major: number | undefined
  readonly minor: number | undefined
  readonly access: string
}

/**
 * What the control group of a process lets it do with devices.
 * - `all`: nothing is forbidden. - `list`: what is allowed is known (version 1).
 * - `program`: programs decide, and can't be asked (version 2). - `unknown`: can't be read.
 */
export type DeviceRules =
  | { readonly kind: 'all' }
  | { readonly kind: 'list'; readonly allowed: readonly Allowed[] }
  | { readonly kind: 'program'; readonly count: number }
  | { readonly kind: 'unknown'; readonly reason: string }

const isType = (text: string | undefined): text is Allowed['type'] => text === 'a' || text === 'b' || text === 'c'

const numberOf = (text: string | undefined): number | undefined => (text === '*' ? undefined : Number(text))

/** The text of devices.list of version 1 (Documentation/admin-guide/cgroup-v1/devices.rst). */
export const parseDevicesList = (text: string): readonly Allowed[] =>
  text.split('\n').flatMap((line) => {
    const match = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]+)$/.exec(line)
    const [, type, major, minor, access = ''] = match ?? []
    return isType(type) ? [{ type, major: numberOf(major), minor: numberOf(minor), access }] : []
  })

const isAll = ({ type, major, minor, access }: Allowed): boolean =>
  type === 'a' && major === undefined && minor === undefined && access.length === 3

/** What one hierarchy says. */
const rulesIn = (subject: Subject, hierarchy: CgroupHierarchy): DeviceRules => {
  const path = subject.cgroups.get(hierarchy.name)
  const directory = path === undefined ? undefined : cgroupDirectory(hierarchy, path)
  if (directory === undefined) return { kind: 'unknown', reason: 'its control group is out of sight' }
  if (hierarchy.version === 2) {
    const count = countDevicePrograms(directory)
    if (count !== undefined) return count === 0 ? { kind: 'all' } : { kind: 'program', count }
    return { kind: 'unknown', reason: 'asking for device programs takes CAP_BPF or CAP_NET_ADMIN' }
  }
  const text = tryReadFile(`${directory}/devices.list`)
  if (typeof text === 'number') return { kind: 'unknown', reason: 'its device rules may not be read' }
  const allowed = parseDevicesList(text)
  return allowed.some(isAll) ? { kind: 'all' } : { kind: 'list', allowed }
}

/** Which kind says more of what is forbidden. */
const ORDER: readonly DeviceRules['kind'][] = ['list', 'program', 'unknown', 'all']

/** Reads what applies to a process: both versions of control groups have a word in it, and both must agree. */
export const readDeviceRules = (subject: Subject, { hierarchies }: CgroupLayout): DeviceRules => {
  const [most] = hierarchies
    .filter(({ version, controllers }) => version === 2 || controllers.includes('devices'))
    .map((hierarchy) => rulesIn(subject, hierarchy))
    .toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
  return most ?? { kind: 'all' }
}

const holds = (outer: number | undefined, inner: number): boolean => outer === undefined || outer === inner

/** Whether the rules let a device be opened for reading or writing; undefined where they can't be known. */
export const allows = (rules: DeviceRules, type: 'b' | 'c', { major, minor }: DeviceNumbers): boolean | undefined => {
  if (rules.kind === 'all') return true
  if (rules.kind !== 'list') return undefined
  return rules.allowed.some(
    (each) =>
      (each.type === 'a' || each.type === type) &&
      holds(each.major, major) &&
      holds(each.minor, minor) &&
      /[rw]/.test(each.access),
  )
}
