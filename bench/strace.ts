/** One system call of a trace. */
export interface Call {
  readonly pid: number
  readonly name: string
  /** What strace shows between the parentheses. */
  readonly args: string
  /** What it shows as the result: a number, perhaps with a name; `?` if the call didn't return. */
  readonly result: string
}

const UNFINISHED = / <unfinished \.\.\.>$/
const RESUMED = /^<\.\.\. \w+ resumed>/
const CALL = /^(\w+)\((.*)\)\s+= (\S.*)$/

/**
 * The calls in a file of `strace -f -o`, in the order in which they began. Signals and exits are left out; a call that
 * was interrupted by another process's is put together again.
 */
export const parseStrace = (text: string): readonly Call[] => {
  const calls: (Call | undefined)[] = []
  const open = new Map<number, { readonly index: number; readonly start: string }>()
  const add = (pid: number, line: string, index: number): void => {
    const [, name, args, result] = CALL.exec(line) ?? []
    calls[index] =
      name === undefined || args === undefined || result === undefined ? undefined : { pid, name, args, result }
  }
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ')
    const pid = Number(line.slice(0, space))
    const rest = line.slice(space).trim()
    if (rest === '' || rest.startsWith('+++') || rest.startsWith('---')) continue
    const begun = open.get(pid)
    if (RESUMED.test(rest)) {
      open.delete(pid)
      if (begun !== undefined) add(pid, begun.start + rest.replace(RESUMED, ''), begun.index)
    } else if (UNFINISHED.test(rest)) {
      open.set(pid, { index: calls.length, start: rest.replace(UNFINISHED, '') })
      calls.push(undefined)
    } else add(pid, rest, calls.length)
  }
  // What never came back: exit_group(2), or a process that was killed in a call.
  for (const [pid, { index, start }] of open) add(pid, `${start}) = ?`, index)
  return calls.filter((call) => call !== undefined)
}

const MAKERS = ['clone', 'clone3', 'fork', 'vfork']

/** The id of the process that a call made, as the tracer sees it; undefined for any other call. */
const made = ({ name, result }: Call): number | undefined =>
  MAKERS.includes(name) && Number(result) > 0 ? Number(result) : undefined

/** The calls of a container's start, by the process that made them. */
export interface Start {
  /** Of the process that sets it up, until it is the program, or stays beside it. */
  readonly stage: readonly Call[]
  /** Of the process that becomes the program, if that is another: to its exec, which is the last. */
  readonly program: readonly Call[]
}

/**
 * What lies between the clone of a container's first process and the exec of its program. Inside a pid namespace a
 * clone returns the id that holds there, so the program is found by its exec.
 */
export const startOf = (calls: readonly Call[], program: string): Start => {
  const clone = calls.find(({ name, args }) => name === 'clone3' && args.includes('CLONE_NEWPID'))
  const stagePid = clone === undefined ? undefined : made(clone)
  const exec = calls.find(
    (call) => call.name === 'execve' && call.args.startsWith(`"${program}"`) && call.result === '0',
  )
  if (stagePid === undefined || exec === undefined) throw new Error(`the trace has no start of ${program}`)
  const before = calls.slice(0, calls.indexOf(exec) + 1)
  const stage = calls.filter(({ pid }) => pid === stagePid)
  const waits = stage.findIndex(({ name }) => name === 'rt_sigtimedwait')
  return {
    stage:
      exec.pid === stagePid || waits < 0 ? before.filter(({ pid }) => pid === stagePid) : stage.slice(0, waits + 1),
    program: exec.pid === stagePid ? [] : before.filter(({ pid }) => pid === exec.pid),
  }
}

/** How often each call was made. */
export const countByName = (calls: readonly Call[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const { name } of calls) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
