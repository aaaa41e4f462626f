import type { Process } from '../../oci/process.ts'
import { encodeIoprio, encodeSchedAttr, IOPRIO_WHO_PROCESS } from '../../linux/sched-attr.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from '../plan/context.ts'

/** `process.scheduler` and `process.ioPriority`, while there is the power to raise them. */
export const planScheduling = (
  { stage, data }: PlanContext,
  { scheduler, ioPriority }: Pick<Process, 'scheduler' | 'ioPriority'>,
): void => {
  stage.mechanism('process')
  if (scheduler !== undefined) {
    const { policy, nice = 0, priority = 0 } = scheduler
    const hints = { EPERM: 'It takes CAP_SYS_NICE, and on control groups of version 1 a share of realtime.' }
    const attr = data.add(encodeSchedAttr(scheduler), `{${policy}, nice=${nice}, priority=${priority}}`)
    stage.call({ what: `be scheduled as ${policy}`, hints }, 'sched_setattr', [0, attr, 0])
  }
  if (ioPriority !== undefined) {
    const { class: name, priority } = ioPriority
    const hints = { EPERM: 'It takes CAP_SYS_ADMIN or CAP_SYS_NICE.' }
    stage.call({ what: `have the I/O priority ${priority} of ${name}`, hints }, 'ioprio_set', [
      named(IOPRIO_WHO_PROCESS, 'IOPRIO_WHO_PROCESS'),
      0,
      named(encodeIoprio(name, priority), `${name}|${priority}`),
    ])
  }
}
