import type { Step } from '../plan/step.ts'
import type { Fault } from './fault.ts'

/** The steps with one of them failing, or waiting for ever to be killed. */
export const injectFault = (steps: readonly Step[], fault: Fault): readonly Step[] =>
  steps.map((step, index) => {
    if (fault.phase !== 'stage' || index !== fault.index) return step
    if (fault.kind === 'kill')
      return { ...step, operation: 'syscall', call: 'ppoll', args: [0, 0, 0, 0, 0], branches: [] }
    const fallible = step.operation === 'syscall' || step.operation === 'clone'
    return {
      ...step,
      operation: 'fail',
      args: [fault.errno],
      // The first branch of a clone is the way of the parent.
      branches: !fallible ? [] : step.branches.slice(step.operation === 'clone' ? 1 : 0),
    }
  })
