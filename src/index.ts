export { InputError, TareError } from './linux/error.ts'
export type { TareErrorDetails } from './linux/error.ts'
export type { HostGroup, HostItem } from './inspect/host.ts'
export { HOST_GROUPS, hostInfo } from './inspect/host.ts'
