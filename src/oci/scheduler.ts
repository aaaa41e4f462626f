import type { IoprioClass, SchedFlag, SchedPolicy } from '../linux/sched-attr.ts'
import type { Integer, Read } from './fields.ts'
import { arrayOf, Fields, int32, integer, oneOf, refuse, uint64 } from './fields.ts'
import { numberList } from './number-list.ts'

const POLICIES: readonly SchedPolicy[] = [
  'SCHED_OTHER',
  'SCHED_FIFO',
  'SCHED_RR',
  'SCHED_BATCH',
  'SCHED_ISO',
  'SCHED_IDLE',
  'SCHED_DEADLINE',
]

const FLAGS: readonly SchedFlag[] = [
  'SCHED_FLAG_RESET_ON_FORK',
  'SCHED_FLAG_RECLAIM',
  'SCHED_FLAG_DL_OVERRUN',
  'SCHED_FLAG_KEEP_POLICY',
  'SCHED_FLAG_KEEP_PARAMS',
  'SCHED_FLAG_UTIL_CLAMP_MIN',
  'SCHED_FLAG_UTIL_CLAMP_MAX',
]

const CLASSES: readonly IoprioClass[] = ['IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE']

/** `process.scheduler`: sched_setattr(2). */
export interface Scheduler {
  readonly policy: SchedPolicy
  readonly nice?: number | undefined
  readonly priority?: number | undefined
  readonly flags?: readonly SchedFlag[] | undefined
  /** Nanoseconds, as the two that follow; for SCHED_DEADLINE. */
  readonly runtime?: Integer | undefined
  readonly deadline?: Integer | undefined
  readonly period?: Integer | undefined
}

/** `process.ioPriority`: ioprio_set(2). */
export interface IoPriority {
  readonly class: IoprioClass
  /** 0, the highest, to 7. */
  readonly priority: number
}

/** `process.execCPUAffinity`: lists of processors such as `0-3,7`. */
export interface CpuAffinity {
  readonly initial?: string | undefined
  readonly final?: string | undefined
}

/** Reads `process.scheduler`, and refuses what the kernel would refuse with a bare EINVAL. */
export const readScheduler: Read<Scheduler> = (value, at) => {
  const fields = new Fields(value, at)
  const scheduler: Scheduler = {
    policy: fields.required('policy', oneOf(POLICIES)),
    nice: fields.optional('nice', int32),
    priority: fields.optional('priority', int32),
    flags: fields.optional('flags', arrayOf(oneOf(FLAGS))),
    runtime: fields.optional('runtime', uint64),
    deadline: fields.optional('deadline', uint64),
    period: fields.optional('period', uint64),
  }
  const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler
  if (policy === 'SCHED_ISO') refuse(`${at}.policy`, 'Linux has reserved SCHED_ISO and not implemented it')
  if (nice < -20 || nice > 19) refuse(`${at}.nice`, `${nice} is not from -20 to 19`)
  const realtime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR'
  if (realtime && (priority < 1 || priority > 99)) {
    refuse(`${at}.priority`, `${priority} is no priority of ${policy}: 1 to 99`)
  }
  if (!realtime && priority !== 0) refuse(`${at}.priority`, `${policy} has no priority but 0`)
  if (policy !== 'SCHED_DEADLINE') {
    for (const [key, time] of Object.entries({ runtime, deadline, period })) {
      if (time !== 0) refuse(`${at}.${key}`, `it is for SCHED_DEADLINE only, and the policy is ${policy}`)
    }
  } else if (runtime > deadline || (period !== 0 && deadline > period)) {
    refuse(at, 'SCHED_DEADLINE needs runtime <= deadline <= period', 'A period of 0 is the deadline.')
  }
  return scheduler
}

/** Reads `process.ioPriority`. */
export const readIoPriority: Read<IoPriority> = (value, at) => {
  const fields = new Fields(value, at)
  return {
    class: fields.required('class', oneOf(CLASSES)),
    priority: fields.required('priority', integer(0, 7)),
  }
}

/** Reads `process.execCPUAffinity`. */
export const readCpuAffinity: Read<CpuAffinity> = (value, at) => {
  const fields = new Fields(value, at)
  return { initial: fields.optional('initial', numberList), final: fields.optional('final', numberList) }
}
