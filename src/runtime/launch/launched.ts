import { TareError } from '../../linux/error.ts'
import { sendPidfdSignal, whenEnded } from '../../linux/pidfd.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { WaitResult } from '../../linux/wait.ts'
import { waitid } from '../../linux/wait.ts'
import type { Control } from '../control.ts'
import type { Ended, RunningProgram } from '../running.ts'
import { setupError } from '../running.ts'
import { stepTaken } from '../stage.ts'
import { forgetNamespaces } from './caller.ts'
import type { LaunchPlan } from './plan.ts'

export interface LaunchedProcess {
  readonly pid: number
  readonly pidfd: number
  /** Waits for the stage that has become the program; undefined where the program is its child. */
  readonly finish: (() => Promise<WaitResult>) | undefined
}

/** Resolves when the process has ended and has been waited for; its pidfd is still open. */
export const whenFinished = async ({ pid, pidfd, finish }: LaunchedProcess): Promise<WaitResult> => {
  if (finish !== undefined) return finish()
  await whenEnded(pidfd)
  const waited = waitid({ pidfd })
  if (waited === undefined) throw new TareError({ operation: 'wait for', target: `process ${pid}` })
  return waited
}

export interface LaunchedParts {
  readonly plan: LaunchPlan
  readonly planFd: number
  readonly control: Control
  readonly process: LaunchedProcess
  /** Files on which its new namespaces were mounted: where the program is never reached, they are none again. */
  readonly persisted: readonly string[]
}

/** A program of this host that was launched. Its end is awaited from the beginning, so that nothing is left of it. */
export class Launched implements RunningProgram {
  readonly pid: number
  readonly ended: Promise<Ended>
  readonly terminalReady: Promise<undefined> = Promise.resolve(undefined)
  readonly terminal: undefined
  readonly #parts: LaunchedParts
  #open = true

  constructor(parts: LaunchedParts) {
    this.pid = parts.process.pid
    this.#parts = parts
    this.ended = this.#end()
  }

  /** Sends a signal to the program alone. */
  signal(signal: number): boolean {
    return this.#open && sendPidfdSignal(this.#parts.process.pidfd, signal)
  }

  async #end(): Promise<Ended> {
    const { plan, control, planFd, process, persisted } = this.#parts
    try {
      const { status, usage } = await whenFinished(process)
      const error = setupError(plan.stage, control, stepTaken(planFd), status)
      if (error !== undefined) {
        forgetNamespaces(persisted)
        throw error
      }
      const { userTime, systemTime, maxResident } = usage
      return { status, userTime, systemTime, peakMemory: maxResident, oomKilled: false }
    } finally {
      this.#open = false
      control.close()
      for (const fd of [process.pidfd, planFd]) trySyscall('close', fd)
    }
  }
}
