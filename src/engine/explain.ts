import type { ExplainedPhase, ExplainedStep } from '../plan/explain.ts'
import { explainSteps } from '../plan/explain.ts'
import type { Step } from '../plan/step.ts'
import { planContainer } from '../runtime/plan.ts'
import { linkSteps, reserveSteps } from './explain-link.ts'
import { cgroupSteps, cloneSteps, idSteps, stageSteps } from './explain-start.ts'
import type { OwnStep } from './explain-start.ts'
import { checkOptions } from './check-options.ts'
import type { RunOptions } from './options.ts'
import { CONTAINER_OPTIONS, PROGRAM_OPTIONS } from './options.ts'
import { checkCommand, resolveContainer } from './resolve.ts'

/** How many steps an {@link Explanation} has. */
export interface ExplanationCounts {
  readonly steps: number
  readonly prepare: number
  readonly start: number
  readonly grant: number
  readonly stage: number
  /** How many of the stage's steps are system calls; the others move values and choose the way. */
  readonly stageSystemCalls: number
}

/** The plan of a run: all that would happen, in order, and nothing done. */
export interface Explanation {
  readonly command: readonly string[]
  readonly steps: readonly ExplainedStep[]
  readonly counts: ExplanationCounts
}

type Part =
  | { readonly phase: ExplainedPhase; readonly own: readonly OwnStep[] }
  | { readonly phase: ExplainedPhase; readonly planned: readonly Step[] }

/** Numbers the steps of all parts, which are in the order in which they happen. */
const numberSteps = (parts: readonly Part[]): readonly ExplainedStep[] => {
  const steps: ExplainedStep[] = []
  for (const part of parts) {
    const { phase } = part
    const first = { number: steps.length + 1, index: steps.filter((step) => step.phase === phase).length }
    if ('planned' in part) steps.push(...explainSteps(part.planned, phase, first))
    else
      steps.push(
        ...part.own.map((own, at): ExplainedStep => ({
          number: first.number + at,
          phase,
          index: first.index + at,
          operation: 'syscall',
          onError: [],
          ...own,
        })),
      )
  }
  return steps
}

/**
 * What {@link run} would do with the same command and options, step by step: each system call with its arguments, what
 * it does and why. Needs no privilege, starts nothing and changes nothing; what it reads is what a plan depends on (the
 * directories named, /etc/passwd, where control groups are).
 *
 * Throws {@link InputError} for whatever `run` would refuse before it starts anything.
 *
 * @example
 * ```ts
 * for (const { number, what, call } of explain(['ls'], { memory: '64MiB' }).steps) console.log(number, what, call)
 * ```
 */
export const explain = (command: readonly string[], options: RunOptions = {}): Explanation => {
  checkOptions(options, [...CONTAINER_OPTIONS, ...PROGRAM_OPTIONS])
  const { spec, host } = resolveContainer(checkCommand(command), options)
  const plan = planContainer(spec, host)
  const steps = numberSteps([
    { phase: 'prepare', own: [...reserveSteps(spec.hostname, options), ...cgroupSteps(plan, host)] },
    { phase: 'prepare', planned: plan.prepare },
    { phase: 'start', own: cloneSteps(plan) },
    { phase: 'grant', planned: plan.grant },
    { phase: 'start', own: idSteps(plan) },
    { phase: 'start', planned: [plan.unshare.step] },
    { phase: 'start', own: stageSteps(plan, linkSteps(spec.hostname, options)) },
    { phase: 'stage', planned: plan.stage },
  ])
  const inPhase = (phase: ExplainedPhase): readonly ExplainedStep[] => steps.filter((step) => step.phase === phase)
  const stage = inPhase('stage')
  return {
    command,
    steps,
    counts: {
      steps: steps.length,
      prepare: inPhase('prepare').length,
      start: inPhase('start').length,
      grant: inPhase('grant').length,
      stage: stage.length,
      stageSystemCalls: stage.filter(({ operation }) => operation === 'syscall' || operation === 'clone').length,
    },
  }
}
