import { errnoName } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import type { Step } from './step.ts'

/** The error for a step that failed with `errno`: the step's own words, the kernel's errno, what to do about it. */
export const stepError = (step: Step, errno: number): TareError =>
  new TareError({
    operation: step.what,
    syscall: step.call,
    errno,
    hint: step.hints?.[errnoName(errno)] ?? step.hints?.['*'],
  })
