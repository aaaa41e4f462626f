import { readFileSync } from 'node:fs'
import { readLocalAddresses } from '../../linux/local-addresses.ts'
import { readProcessStat } from '../../linux/process-stat.ts'
import { ConsoleLog } from './console-log.ts'
import { machineCgroup } from './machine-cleanup.ts'
import type { MachineRecord } from './machine-record.ts'
import { machineFile } from './machine-record.ts'
import { isRunning } from './process-identity.ts'

/** What a machine does: its init is on its way, all is up, or all goes down. */
export type MachineState = 'booting' | 'running' | 'stopping'

/** A machine as it is now. */
export interface MachineInfo {
  readonly name: string
  /** Of the system that it runs: an absolute path. */
  readonly directory: string
  readonly state: MachineState
  /** Whether it runs without the process that booted it. */
  readonly background: boolean
  /** Its init's id on this host; undefined as long as there is none, or where it has just ended. */
  readonly pid: number | undefined
  /** Its init's path in the system. */
  readonly init: string | undefined
  /** Milliseconds since it was booted, this time. */
  readonly uptime: number
  /** How often it was booted since it was started: 1 before the first reboot. */
  readonly boots: number
  /**
   * Bytes in use: of its control group where that counts them, else what its processes have, shared pages in parts;
   * undefined where neither is to be known.
   */
  readonly memory: number | undefined
  /** Processes and threads. */
  readonly tasks: number
  /** Addresses in its network, without the loopback's; of a network that it shares with the host, the host's. */
  readonly addresses: readonly string[]
}

const ENDED: readonly string[] = ['ENOENT', 'ESRCH']

/** What `read` returns; undefined where the process that it is about has ended meanwhile. */
const unlessEnded = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (ENDED.includes(code)) return undefined
    throw error
  }
}

/** The init of a machine: PID 1 in it, which the process with which it ends has as its only child. */
export const initPid = ({ container }: MachineRecord): number | undefined => {
  if (container === undefined || !isRunning(container)) return undefined
  const { pid } = container
  const children = unlessEnded(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'ascii')) ?? ''
  const [first] = children.split(' ')
  return first === undefined || first === '' ? undefined : Number(first)
}

/** Bytes of memory that are a process's own, and its share of what it has with others (PSS, proc_pid_smaps(5)). */
const proportionalSize = (pid: number): number | undefined => {
  const text = unlessEnded(() => readFileSync(`/proc/${pid}/smaps_rollup`, 'ascii')) ?? ''
  const [, kibibytes] = /^Pss: +(\d+) kB$/m.exec(text) ?? []
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}

const memoryOf = (record: MachineRecord, processes: readonly number[]): number | undefined => {
  const counted = machineCgroup(record)?.stats().memory?.current
  if (counted !== undefined) return counted
  const sizes = processes.map(proportionalSize).filter((size) => size !== undefined)
  return sizes.length === 0 ? undefined : sizes.reduce((sum, size) => sum + size, 0)
}

const stateOf = (directory: string, record: MachineRecord): MachineState => {
  if (record.asked !== undefined) return 'stopping'
  if (!record.started && isRunning(record.starter)) return 'booting'
  if (!record.tellsState) return 'running'
  const said = unlessEnded(() => {
    const log = new ConsoleLog(machineFile(directory, record.name, 'log'))
    try {
      return log.initState
    } finally {
      log.close()
    }
  })
  return said === 'ready' ? 'running' : said === 'stopping' ? 'stopping' : 'booting'
}

/** What is to be said of a machine. `directory`: of the records. */
export const describeMachine = (directory: string, record: MachineRecord): MachineInfo => {
  const pid = initPid(record)
  const processes = unlessEnded(() => machineCgroup(record)?.processes()) ?? []
  const threads = processes.map((process) => unlessEnded(() => readProcessStat(process).threads) ?? 0)
  return {
    name: record.name,
    directory: record.directory,
    state: stateOf(directory, record),
    background: record.background,
    pid,
    init: record.init?.path,
    uptime: Date.now() - record.booted,
    boots: record.boots,
    memory: unlessEnded(() => memoryOf(record, processes)),
    tasks: threads.reduce((sum, count) => sum + count, 0),
    addresses: (pid === undefined ? undefined : unlessEnded(() => readLocalAddresses(pid))) ?? [],
  }
}
