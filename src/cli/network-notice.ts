import type { Program } from '../index.ts'
import { forwardingProblem } from '../index.ts'
import type { Terminal } from './terminal.ts'

/** Says of a container that has a link if it leads no farther than to this host. To be called as soon as it is started. */
export const noteReach = ({ address }: Program, terminal: Terminal): void => {
  const problem = address === undefined ? undefined : forwardingProblem()
  if (problem !== undefined) terminal.warn(`tare: it reaches nothing but this host: ${problem.reason}\n${problem.hint}`)
}
