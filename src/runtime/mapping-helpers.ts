import { Buffer } from 'node:buffer'
import { openSync } from 'node:fs'
import { TareError } from '../linux/error.ts'
import type { IdMapping } from '../linux/idmap.ts'
import { packetSocketPair } from '../linux/socket.ts'
import { ARCHITECTURE, trySyscall } from '../linux/syscall.ts'
import { StepBuilder } from '../plan/builder.ts'
import { DataBuilder } from '../plan/data.ts'
import { encodePlan } from '../plan/encode.ts'
import { Control } from './control.ts'
import { Descriptors } from './descriptors.ts'
import { unblockSignals } from './plan/program.ts'
import { setupError } from './running.ts'
import type { UserNamespace } from './spec.ts'
import { finishStage, makePipe, planDescriptor, startStage, stepTaken } from './stage.ts'

const HINT = {
  ENOENT: 'Install it: Debian has it in uidmap, Fedora and Arch in shadow(-utils).',
  EACCES: 'It must be executable by everybody.',
}
/** More than these programs ever say. */
const MESSAGE_SIZE = 4096

/** newuidmap(1)'s arguments: the process, then inside, outside and size of each range. */
const argumentsOf = (program: string, pid: number, mappings: readonly IdMapping[]): readonly string[] => [
  program,
  String(pid),
  ...mappings.flatMap(({ inside, outside, size }) => [inside, outside, size].map(String)),
]

/**
 * Runs one of the programs that may write a map for an ordinary user, being set-user-id; there is no system call for
 * it. By the stage, like all else: it execs at once.
 */
const runHelper = async (program: string, pid: number, mappings: readonly IdMapping[]): Promise<void> => {
  const data = new DataBuilder()
  const steps = new StepBuilder(data)
  const words = { what: `run ${program}`, hints: HINT }
  unblockSignals(steps)
  const argv = data.strings(argumentsOf(program, pid, mappings), program)
  const envp = data.strings([], '[]')
  const directories = ['/usr/bin', '/bin', '/usr/local/bin', '/run/wrappers/bin']
  directories.forEach((directory, index) => {
    const next = steps.label()
    const branches = index === directories.length - 1 ? [] : [{ errno: 2, to: next }]
    steps.call(words, 'execve', [data.string(`${directory}/${program}`), argv, envp], branches)
    steps.place(next)
  })
  const descriptors = new Descriptors()
  try {
    const nothing = descriptors.add(openSync('/dev/null', 'r+'))
    const [ours, theirs] = packetSocketPair()
    descriptors.add(ours)
    descriptors.add(theirs)
    const [said, saying] = makePipe()
    descriptors.add(said)
    descriptors.add(saying)
    const planFd = descriptors.add(planDescriptor(encodePlan(steps.steps, data, ARCHITECTURE)))
    const helper = startStage(0, [nothing, nothing, saying, theirs, planFd])
    descriptors.add(helper.pidfd)
    descriptors.close(saying)
    descriptors.close(theirs)
    const { status } = await finishStage(helper)
    const error = setupError(steps.steps, new Control(ours), stepTaken(planFd), status)
    if (error !== undefined) throw error
    if (status.kind === 'exited' && status.code === 0) return
    const message = Buffer.alloc(MESSAGE_SIZE)
    const length = Math.max(0, trySyscall('read', said, message, message.length))
    throw new TareError({
      operation: 'map the ids of the new user namespace',
      reason: message.toString('utf8', 0, length).trim() || `${program} failed`,
      hint: 'The ranges must be in /etc/subuid and /etc/subgid for this user.',
    })
  } finally {
    descriptors.closeAll()
  }
}

/** Writes the id maps of a process for an ordinary user, as far as its subordinate ids allow (subuid(5)). */
export const mapWithHelpers = async (pid: number, userNamespace: UserNamespace): Promise<void> => {
  if (userNamespace.kind === 'host') return
  const results = await Promise.allSettled([
    ...(userNamespace.uids.length > 0 ? [runHelper('newuidmap', pid, userNamespace.uids)] : []),
    ...(userNamespace.gids.length > 0 ? [runHelper('newgidmap', pid, userNamespace.gids)] : []),
  ])
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
