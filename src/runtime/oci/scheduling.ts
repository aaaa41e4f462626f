import type { Process } from '../../oci/process.ts'
import { IO_PRIORITY_CLASSES, SCHEDULER_FLAGS, SCHEDULER_POLICIES } from '../../oci/scheduler.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from '../plan/context.ts'

/** Size of struct sched_attr, whose last fields are util_min and util_max (sched_setattr(2)). */
const SCHED_ATTR_SIZE = 56
const IOPRIO_WHO_PROCESS = named(1, 'IOPRIO_WHO_PROCESS')
const IOPRIO_CLASS_SHIFT = 13

/** `process.scheduler` and `process.ioPriority`, while there is the power to raise them. */
export const planScheduling = (
  { stage, data }: PlanContext,
  { scheduler, ioPriority }: Pick<Process, 'scheduler' | 'ioPriority'>,
): void => {
  stage.mechanism('process')
  if (scheduler !== undefined) {
    const { policy, nice = 0, priority = 0, flags = [], runtime = 0, deadline = 0, period = 0 } = scheduler
    const bytes = new Uint8Array(SCHED_ATTR_SIZE)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, SCHED_ATTR_SIZE, true)
    view.setUint32(4, SCHEDULER_POLICIES.indexOf(policy), true)
    const bits = flags.reduce((all, flag) => all | (1n << BigInt(SCHEDULER_FLAGS.indexOf(flag))), 0n)
    view.setBigUint64(8, bits, true)
    view.setInt32(16, nice, true)
    view.setUint32(20, priority, true)
    for (const [index, time] of [runtime, deadline, period].entries())
      view.setBigUint64(24 + 8 * index, BigInt(time), true)
    const hints = { EPERM: 'It takes CAP_SYS_NICE, and on control groups of version 1 a share of realtime.' }
    const text = `{${policy}, nice=${nice}, priority=${priority}}`
    stage.call({ what: `be scheduled as ${policy}`, hints }, 'sched_setattr', [0, data.add(bytes, text), 0])
  }
  if (ioPriority !== undefined) {
    const { class: name, priority } = ioPriority
    const value = ((IO_PRIORITY_CLASSES.indexOf(name) + 1) << IOPRIO_CLASS_SHIFT) | priority
    const hints = { EPERM: 'It takes CAP_SYS_ADMIN or CAP_SYS_NICE.' }
    stage.call({ what: `have the I/O priority ${priority} of ${name}`, hints }, 'ioprio_set', [
      IOPRIO_WHO_PROCESS,
      0,
      named(value, `${name}|${priority}`),
    ])
  }
}
