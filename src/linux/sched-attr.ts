/** Scheduling policies by their names (linux/sched.h); SCHED_ISO has a number, and no kernel that knows it. */
export const SCHED_POLICIES = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
} as const

export type SchedPolicy = keyof typeof SCHED_POLICIES

/** SCHED_FLAG_… of sched_setattr(2). */
export const SCHED_FLAGS = {
  SCHED_FLAG_RESET_ON_FORK: 0x01,
  SCHED_FLAG_RECLAIM: 0x02,
  SCHED_FLAG_DL_OVERRUN: 0x04,
  SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
} as const

export type SchedFlag = keyof typeof SCHED_FLAGS

/** What sched_setattr(2) sets. */
export interface SchedAttr {
  readonly policy: SchedPolicy
  readonly flags?: readonly SchedFlag[] | undefined
  /** -20 to 19; for OTHER and BATCH. */
  readonly nice?: number | undefined
  /** 1 to 99; for FIFO and RR. */
  readonly priority?: number | undefined
  /** Nanoseconds, as the two that follow; for DEADLINE. */
  readonly runtime?: number | bigint | undefined
  readonly deadline?: number | bigint | undefined
  readonly period?: number | bigint | undefined
}

/** Bytes of `struct sched_attr`, version 0, which is all that the above needs. */
export const SCHED_ATTR_SIZE = 48

/** `struct sched_attr` (sched_setattr(2)). */
export const encodeSchedAttr = (attr: SchedAttr): Uint8Array => {
  const { policy, flags = [], nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = attr
  const bytes = new Uint8Array(SCHED_ATTR_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, SCHED_ATTR_SIZE, true)
  view.setUint32(4, SCHED_POLICIES[policy], true)
  view.setBigUint64(8, BigInt(flags.reduce((bits, flag) => bits | SCHED_FLAGS[flag], 0)), true)
  view.setInt32(16, nice, true)
  view.setUint32(20, priority, true)
  for (const [index, time] of [runtime, deadline, period].entries())
    view.setBigUint64(24 + 8 * index, BigInt(time), true)
  return bytes
}

/** Classes of I/O priority, as ioprio_set(2) has them in the bits from 13 on. */
export const IOPRIO_CLASSES = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const

export type IoprioClass = keyof typeof IOPRIO_CLASSES

/** "who" of ioprio_set(2) is a process, or a thread; 0 is the caller. */
export const IOPRIO_WHO_PROCESS = 1

/** The word that ioprio_set(2) takes: a class, and a level of 0, the highest, to 7. */
export const encodeIoprio = (ioprioClass: IoprioClass, level: number): number =>
  (IOPRIO_CLASSES[ioprioClass] << 13) | level
