import type { LinuxBlockIo } from './block-io.ts'
import { readBlockIo } from './block-io.ts'
import type { LinuxDeviceCgroup } from './devices.ts'
import { readDeviceCgroup } from './devices.ts'
import type { Integer, Read } from './fields.ts'
import { parseJson } from './json.ts'
import {
  arrayOf,
  boolean,
  Fields,
  integer,
  limit,
  mapOf,
  nonEmpty,
  placeOf,
  refuse,
  refuseTwice,
  show,
  string,
  uint32,
  uint64,
} from './fields.ts'
import { numberList } from './number-list.ts'

/** Bytes, of which -1 is no limit. */
export interface LinuxMemory {
  readonly limit?: Integer | undefined
  readonly reservation?: Integer | undefined
  /** Memory and swap together. */
  readonly swap?: Integer | undefined
  /** No kernel limits it any more. */
  readonly kernel?: Integer | undefined
  readonly kernelTCP?: Integer | undefined
  /** 0 to 100. */
  readonly swappiness?: number | undefined
  readonly disableOOMKiller?: boolean | undefined
  readonly useHierarchy?: boolean | undefined
  readonly checkBeforeUpdate?: boolean | undefined
}

/** Times are microseconds. */
export interface LinuxCpu {
  readonly shares?: Integer | undefined
  /** -1: no limit. */
  readonly quota?: Integer | undefined
  readonly burst?: Integer | undefined
  readonly period?: Integer | undefined
  readonly realtimeRuntime?: Integer | undefined
  readonly realtimePeriod?: Integer | undefined
  /** A list such as `0-3,7`. */
  readonly cpus?: string | undefined
  readonly mems?: string | undefined
  /** 1: only what nobody else wants. */
  readonly idle?: number | undefined
}

export interface LinuxPids {
  /** Tasks, of which -1 is no limit. */
  readonly limit?: Integer | undefined
}

export interface LinuxHugepageLimit {
  /** `2MB`, `1GB`, `64KB`. */
  readonly pageSize: string
  /** Bytes. */
  readonly limit: Integer
}

export interface LinuxInterfacePriority {
  readonly name: string
  readonly priority: number
}

export interface LinuxNetwork {
  readonly classID?: number | undefined
  readonly priorities?: readonly LinuxInterfacePriority[] | undefined
}

/** At least one of the two. */
export interface LinuxRdma {
  readonly hcaHandles?: number | undefined
  readonly hcaObjects?: number | undefined
}

/** `linux.resources` (runtime-spec, config-linux.md, Control groups), and what `update` reads. */
export interface LinuxResources {
  readonly devices?: readonly LinuxDeviceCgroup[] | undefined
  readonly memory?: LinuxMemory | undefined
  readonly cpu?: LinuxCpu | undefined
  readonly pids?: LinuxPids | undefined
  readonly blockIO?: LinuxBlockIo | undefined
  readonly hugepageLimits?: readonly LinuxHugepageLimit[] | undefined
  readonly network?: LinuxNetwork | undefined
  /** By the name of the device. */
  readonly rdma?: Readonly<Record<string, LinuxRdma>> | undefined
  /** Files of cgroup version 2, and what is written to them. */
  readonly unified?: Readonly<Record<string, string>> | undefined
}

const readMemory: Read<LinuxMemory> = (value, at) => {
  const fields = new Fields(value, at)
  const memory: LinuxMemory = {
    limit: fields.optional('limit', limit),
    reservation: fields.optional('reservation', limit),
    swap: fields.optional('swap', limit),
    kernel: fields.optional('kernel', limit),
    kernelTCP: fields.optional('kernelTCP', limit),
    swappiness: fields.optional('swappiness', integer(0, 100)),
    disableOOMKiller: fields.optional('disableOOMKiller', boolean),
    useHierarchy: fields.optional('useHierarchy', boolean),
    checkBeforeUpdate: fields.optional('checkBeforeUpdate', boolean),
  }
  const { limit: most = 0, swap = 0 } = memory
  if (swap > 0 && most > swap) {
    refuse(placeOf(at, 'swap'), `${swap} is below the limit, ${most}`, 'It limits memory and swap together.')
  }
  return memory
}

const readCpu: Read<LinuxCpu> = (value, at) => {
  const fields = new Fields(value, at)
  const cpu: LinuxCpu = {
    shares: fields.optional('shares', uint64),
    quota: fields.optional('quota', limit),
    burst: fields.optional('burst', uint64),
    period: fields.optional('period', uint64),
    realtimeRuntime: fields.optional('realtimeRuntime', limit),
    realtimePeriod: fields.optional('realtimePeriod', uint64),
    cpus: fields.optional('cpus', numberList),
    mems: fields.optional('mems', numberList),
    idle: fields.optional('idle', integer(0, 1)),
  }
  const { quota = 0, burst = 0 } = cpu
  if (quota > 0 && burst > quota) refuse(placeOf(at, 'burst'), `${burst} is above the quota, ${quota}`)
  return cpu
}

const readHugepageLimit: Read<LinuxHugepageLimit> = (value, at) => {
  const fields = new Fields(value, at)
  const pageSize: Read<string> = (given, place) => {
    const size = string(given, place)
    return /^[1-9]\d*[KMG]B$/.test(size) ? size : refuse(place, `${show(size)} is no page size such as 2MB`)
  }
  return { pageSize: fields.required('pageSize', pageSize), limit: fields.required('limit', uint64) }
}

const readHugepageLimits: Read<readonly LinuxHugepageLimit[]> = (value, at) => {
  const limits = arrayOf(readHugepageLimit)(value, at)
  refuseTwice(limits, at, ({ pageSize }) => pageSize)
  return limits
}

const readInterfacePriority: Read<LinuxInterfacePriority> = (value, at) => {
  const fields = new Fields(value, at)
  return { name: fields.required('name', nonEmpty), priority: fields.required('priority', uint32) }
}

const readNetwork: Read<LinuxNetwork> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    classID: fields.optional('classID', uint32),
    priorities: fields.optional('priorities', arrayOf(readInterfacePriority)),
  }
}

const readRdma: Read<LinuxRdma> = (value, at) => {
  const fields = new Fields(value, at)
  const rdma = { hcaHandles: fields.optional('hcaHandles', uint32), hcaObjects: fields.optional('hcaObjects', uint32) }
  if (rdma.hcaHandles === undefined && rdma.hcaObjects === undefined) {
    refuse(at, 'it has neither hcaHandles nor hcaObjects')
  }
  return rdma
}

/** Reads `linux.resources`. */
export const readResources: Read<LinuxResources> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    devices: fields.optional('devices', arrayOf(readDeviceCgroup)),
    memory: fields.optional('memory', readMemory),
    cpu: fields.optional('cpu', readCpu),
    pids: fields.optional('pids', (pids, place) => ({ limit: new Fields(pids, place).optional('limit', limit) })),
    blockIO: fields.optional('blockIO', readBlockIo),
    hugepageLimits: fields.optional('hugepageLimits', readHugepageLimits),
    network: fields.optional('network', readNetwork),
    rdma: fields.optional('rdma', mapOf(readRdma)),
    unified: fields.optional('unified', mapOf(string)),
  }
}

/** Reads the text of `linux.resources` by itself, as `update` is given. Throws InputError at the first fault. */
export const parseResources = (text: string, name: string): LinuxResources =>
  readResources(parseJson(text, name), `${name}:`)
