import { InputError } from '../error.ts'
import { cpusetWrites, cpuWritesV1, cpuWritesV2 } from './cpu.ts'
import { assembleDeviceProgram } from './device-program.ts'
import type { DeviceRule } from './device-rule.ts'
import { accessBits, describeDeviceRule, deviceLines, devicePolicy } from './device-rule.ts'
import { ioWritesV1, ioWritesV2 } from './io.ts'
import type { CgroupLayout } from './layout.ts'
import { requireHierarchy } from './layout.ts'
import type { CgroupLimits, CurrentLimits, HugetlbLimit } from './limits.ts'
import { memoryWritesV1, memoryWritesV2 } from './memory.ts'
import type { AddWrite, CgroupFileWrite, CgroupWrite } from './write.ts'
import { checkAmount, checkRange, describeBytes } from './write.ts'

type ByVersion = (add: AddWrite, version: 1 | 2) => void

/** What each controller is asked for, in the order of writing: what a process needs to be let in (cpuset) comes first. */
const requests = (limits: CgroupLimits, current: CurrentLimits): readonly (readonly [string, string, ByVersion])[] => {
  const list: (readonly [string, string, ByVersion])[] = []
  const ask = <T>(limit: T | undefined, controller: string, what: string, writes: (value: T) => ByVersion): void => {
    if (limit !== undefined) list.push([controller, what, writes(limit)])
  }
  ask(limits.cpuset, 'cpuset', 'choose processors and memory nodes', (cpuset) => (add) => cpusetWrites(add, cpuset))
  ask(limits.memory, 'memory', 'limit memory', (memory) => (add, version) => {
    if (version === 1) memoryWritesV1(add, memory, current)
    else memoryWritesV2(add, memory)
  })
  ask(limits.cpu, 'cpu', 'limit processor time', (cpu) => (add, version) => {
    if (version === 1) cpuWritesV1(add, cpu, current)
    else cpuWritesV2(add, cpu, current)
  })
  ask(limits.pids, 'pids', 'limit the number of processes', (pids) => (add) => {
    const most = checkAmount('pids', pids)
    add('pids.max', String(most), `limit processes to ${most === 'max' ? 'no limit' : most}`)
  })
  ask(limits.io, 'io', 'limit block I/O', (io) => (add, version) => (version === 1 ? ioWritesV1 : ioWritesV2)(add, io))
  ask(limits.hugetlb, 'hugetlb', 'limit huge pages', (hugetlb) => (add, version) => {
    for (const limit of hugetlb) hugetlbWrites(add, version, limit)
  })
  ask(limits.rdma, 'rdma', 'limit RDMA', (rdma) => (add) => {
    for (const [device, { hcaHandles, hcaObjects }] of Object.entries(rdma)) {
      const parts = [
        ...(hcaHandles === undefined ? [] : [`hca_handle=${checkAmount('rdma handles', hcaHandles)}`]),
        ...(hcaObjects === undefined ? [] : [`hca_object=${checkAmount('rdma objects', hcaObjects)}`]),
      ]
      if (parts.length > 0)
        add('rdma.max', [checkWord('RDMA device', device), ...parts].join(' '), `limit RDMA on ${device}`)
    }
  })
  ask(limits.netClass, 'net_cls', 'tag packets with a class', (netClass) => (add) => {
    add(
      'net_cls.classid',
      String(checkRange('netClass', netClass, 0, 2 ** 32 - 1)),
      `tag packets with class ${netClass}`,
    )
  })
  ask(limits.netPriorities, 'net_prio', 'give packets a priority', (priorities) => (add) => {
    for (const [name, priority] of Object.entries(priorities)) {
      const value = checkRange(`the priority of ${name}`, priority, 0, 2 ** 32 - 1)
      add(
        'net_prio.ifpriomap',
        `${checkWord('network interface', name)} ${value}`,
        `give packets on ${name} priority ${value}`,
      )
    }
  })
  return list
}

const checkWord = (kind: string, word: string): string => {
  if (/^[^\s/]+$/.test(word)) return word
  throw new InputError({ operation: 'limit', target: `${kind} ${JSON.stringify(word)}`, reason: 'it is not a name' })
}

const hugetlbWrites = (add: AddWrite, version: 1 | 2, { pageSize, max }: HugetlbLimit): void => {
  if (!/^[1-9]\d*[KMG]B$/.test(pageSize)) {
    throw new InputError({
      operation: 'limit huge pages of',
      target: pageSize,
      reason: 'it is not a page size such as 2MB',
    })
  }
  checkAmount(`hugetlb.${pageSize}`, max)
  const suffix = version === 1 ? 'limit_in_bytes' : 'max'
  const value = version === 1 && max === 'max' ? '-1' : String(max)
  // Reservations count too, or a process that only reserves gets past the limit and is killed at the first touch.
  add(`hugetlb.${pageSize}.${suffix}`, value, `limit huge pages of ${pageSize} to ${describeBytes(max)}`, [
    { file: `hugetlb.${pageSize}.rsvd.${suffix}`, value },
  ])
}

const checkDeviceRule = (rule: DeviceRule): void => {
  for (const number of [rule.major, rule.minor])
    if (number !== undefined) checkRange('a device number', number, 0, 2 ** 32 - 1)
  if (accessBits(rule.access) !== 0) return
  throw new InputError({
    operation: 'apply device rule',
    target: describeDeviceRule(rule),
    reason: 'it names no access (r, w, m)',
  })
}

const deviceWrites = (version: 1 | 2, rules: readonly DeviceRule[], current: CurrentLimits): readonly CgroupWrite[] => {
  for (const rule of rules) checkDeviceRule(rule)
  if (version === 2) {
    const what = `decide on devices by ${rules.length} rules`
    return [{ kind: 'device-program', controller: 'devices', program: assembleDeviceProgram(rules), what }]
  }
  return deviceLines(devicePolicy(rules), current.devices).map(({ file, value }): CgroupWrite => {
    const what = `${file === 'devices.allow' ? 'allow' : 'deny'} ${value === 'a' ? 'all devices' : `device ${value}`}`
    return { kind: 'file', controller: 'devices', file, value, what }
  })
}

/** Files of the core of version 2 that don't set a limit but move, kill or enable. */
const NO_LIMITS = ['procs', 'threads', 'subtree_control', 'kill', 'freeze', 'type', 'controllers']

const unifiedWrites = (layout: CgroupLayout, unified: Readonly<Record<string, string>>): readonly CgroupWrite[] =>
  Object.entries(unified).map(([file, value]): CgroupWrite => {
    const what = `write ${JSON.stringify(value)} to ${file}`
    const [, controller = '', rest = ''] = /^([a-z_]+)\.([\w.]+)$/.exec(file) ?? []
    if (controller === '' || rest === '' || (controller === 'cgroup' && NO_LIMITS.includes(rest))) {
      throw new InputError({
        operation: what,
        reason: 'it is not the name of a file that sets a limit, such as memory.high',
      })
    }
    const from = controller === 'cgroup' ? 'unified' : controller
    const hierarchy = requireHierarchy(layout, from, what)
    if (hierarchy.version !== 2) {
      throw new InputError({
        operation: what,
        reason: `this host has the ${controller} controller on cgroup version 1`,
        hint: 'Use the limit of its own instead of the unified map.',
      })
    }
    return { kind: 'file', controller: from, file, value, what }
  })

/**
 * What must be written to set the limits, in order. Nothing is left out in silence: a limit that this host has no
 * controller for, or whose version of it has no such limit, is an {@link InputError} that names both. Pure.
 */
export const cgroupWrites = (
  layout: CgroupLayout,
  limits: CgroupLimits,
  current: CurrentLimits = {},
): readonly CgroupWrite[] => {
  const writes: CgroupWrite[] = []
  for (const [controller, what, byVersion] of requests(limits, current)) {
    const { version } = requireHierarchy(layout, controller, what)
    byVersion((file, value, words, others) => {
      const write: CgroupFileWrite = { kind: 'file', controller, file, value, what: words }
      writes.push(others === undefined ? write : { ...write, others })
    }, version)
  }
  if (limits.devices !== undefined) {
    const { version } = requireHierarchy(layout, 'devices', 'decide on devices')
    writes.push(...deviceWrites(version, limits.devices, current))
  }
  if (limits.unified !== undefined) writes.push(...unifiedWrites(layout, limits.unified))
  return writes
}
