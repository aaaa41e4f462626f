export type { CgroupDirectory } from './apply.ts'
export { blockDeviceOf } from './block-device.ts'
export { Cgroup } from './cgroup.ts'
export type { ControlFile, ControlUnit } from './control-file.ts'
export { controlFileDescriber, controlFiles } from './control-file.ts'
export type { CreateCgroupOptions } from './create.ts'
export { createCgroup, openCgroup } from './create.ts'
export { attachDeviceProgram } from './device-attach.ts'
export { assembleDeviceProgram } from './device-program.ts'
export type { DeviceRule } from './device-rule.ts'
export { describeDeviceRule } from './device-rule.ts'
export { findCgroup, ownsRoot } from './find.ts'
export type { GroupFile } from './group-file.ts'
export { groupFiles, requireGroupFile, requireSettableFile } from './group-file.ts'
export type { CgroupEvent, CgroupEventBody, CgroupEventSource, CgroupPressureTrigger, MemoryLevel } from './event.ts'
export type { CgroupEventsOptions } from './events.ts'
export { cgroupEvents } from './events.ts'
export type { GroupName } from './group-name.ts'
export { groupHierarchies, groupsOfProcess, parseGroupName } from './group-name.ts'
export { hugetlbPageSizes } from './hugetlb-page-sizes.ts'
export type { CgroupHierarchy, CgroupLayout, CgroupPaths } from './layout.ts'
export { cgroupDirectory, hierarchyOf, readCgroupLayout, readCgroupOf } from './layout.ts'
export type * from './limits.ts'
export { packetMatch } from './packet-match.ts'
export { cgroupParent, vacateCgroup } from './parent.ts'
export type { Pressure, PressureLine, PressureResource, Pressures, PressureTrigger, PressureWatch } from './pressure.ts'
export { parsePressure, readHostPressure, watchPressure } from './pressure.ts'
export type { CgroupStats, CpuStats, HugetlbStats, IoDeviceStats, MemoryStats, OomEvents, PidsStats } from './stats.ts'
export { cgroupTree } from './tree.ts'
export type {
  CgroupPart,
  CgroupSample,
  CgroupUsage,
  CpuUsage,
  IoUsage,
  MemoryUsage,
  PidsUsage,
  PressureUsage,
  PressureUsages,
} from './usage.ts'
export { CGROUP_PARTS } from './usage.ts'
export type { CgroupSamplesOptions } from './usage-samples.ts'
export { cgroupSamples } from './usage-samples.ts'
export { ioWeightOfBlkio, sharesOfWeight, weightOfShares } from './weight.ts'
export type { CgroupDeviceWrite, CgroupFileWrite, CgroupWrite } from './write.ts'
export { cgroupWrites } from './writes.ts'
