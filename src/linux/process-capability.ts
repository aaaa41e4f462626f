import { readFileSync } from 'node:fs'

import type { CapabilityName, CapabilityState, ProcessCapabilities } from './capability.ts'
import {
  capabilityNumber,
  decodeCapabilityData,
  encodeCapabilityData,
  encodeCapabilityHeader,
  parseStatusCapabilities,
} from './capability.ts'
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_IS_SET,
  PR_CAP_AMBIENT_LOWER,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
} from './prctl.ts'
import { readProc } from './proc.ts'
import { syscall } from './syscall.ts'

/**
 * The five capability sets of a process (of its main thread), or of this thread.
 * Throws if there is no such process. proc_pid_status(5)
 */
export const readProcessCapabilities = (pid: number | 'thread-self' = 'thread-self'): ProcessCapabilities =>
  parseStatusCapabilities(readProc('read the capabilities of', pid, 'status'))

/** The highest capability number that the running kernel knows. /proc/sys/kernel/cap_last_cap */
export const lastCapability = (): number => Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'ascii'))

/** The three sets of this thread that capset(2) can change. */
export const getThreadCapabilities = (): CapabilityState => {
  const data = new Uint8Array(24)
  syscall({ operation: 'read the capabilities of this thread' }, 'capget', encodeCapabilityHeader(), data)
  return decodeCapabilityData(data)
}

/**
 * Sets the three sets of this thread; other threads of the process keep theirs. Permitted can only shrink;
 * effective must lie within permitted. capset(2)
 */
export const setThreadCapabilities = (state: CapabilityState): void => {
  syscall(
    {
      operation: 'set the capabilities of this thread',
      hint: 'A thread can only give permitted capabilities up, and take effective ones from the permitted.',
    },
    'capset',
    encodeCapabilityHeader(),
    encodeCapabilityData(state),
  )
}

/** Whether a capability is in the bounding set of this thread. PR_CAPBSET_READ(2const) */
export const inBoundingSet = (name: CapabilityName): boolean =>
  syscall(
    { operation: 'read the bounding set for', target: name },
    'prctl',
    PR_CAPBSET_READ,
    capabilityNumber(name),
  ) === 1

/** Drops a capability from the bounding set of this thread, for good. PR_CAPBSET_DROP(2const) */
export const dropFromBoundingSet = (name: CapabilityName): void => {
  syscall(
    { operation: 'drop from the bounding set', target: name, hint: 'It takes CAP_SETPCAP in the user namespace.' },
    'prctl',
    PR_CAPBSET_DROP,
    capabilityNumber(name),
    0,
    0,
    0,
  )
}

const ambient = (operation: string, name: CapabilityName, what: number): number =>
  syscall(
    {
      operation,
      target: name,
      hint: 'An ambient capability must be permitted and inheritable, and no securebit may forbid raising it.',
    },
    'prctl',
    PR_CAP_AMBIENT,
    what,
    capabilityNumber(name),
    0,
    0,
  )

/** Whether a capability is in the ambient set of this thread. PR_CAP_AMBIENT(2const) */
export const inAmbientSet = (name: CapabilityName): boolean =>
  ambient('read the ambient set for', name, PR_CAP_AMBIENT_IS_SET) === 1

/** Adds to the ambient set of this thread what is both permitted and inheritable. PR_CAP_AMBIENT(2const) */
export const raiseAmbient = (name: CapabilityName): void => {
  ambient('raise in the ambient set', name, PR_CAP_AMBIENT_RAISE)
}

/** Takes a capability from the ambient set of this thread. PR_CAP_AMBIENT(2const) */
export const lowerAmbient = (name: CapabilityName): void => {
  ambient('lower in the ambient set', name, PR_CAP_AMBIENT_LOWER)
}

/** Empties the ambient set of this thread. PR_CAP_AMBIENT(2const) */
export const clearAmbient = (): void => {
  syscall({ operation: 'clear the ambient set' }, 'prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}
