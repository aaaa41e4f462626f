import { readdirSync } from 'node:fs'

import type { ProcessCapabilities } from '../linux/capability.ts'
import { parseStatusCapabilities } from '../linux/capability.ts'
import { ERRNO } from '../linux/errno.ts'
import { TareError } from '../linux/error.ts'
import { idOutside, parseIdMap } from '../linux/idmap.ts'
import { INITIAL_USER_NAMESPACE } from '../linux/namespace.ts'
import type { ProcProcess } from '../linux/proc-directory.ts'
import { ProcDirectory } from '../linux/proc-directory.ts'
import { parseProcessStatus } from '../linux/process-status.ts'
import type { Securebit } from '../linux/securebits.ts'
import { getSecurebits } from '../linux/securebits.ts'

/** The user namespace in which a process's capabilities count, and in those made below it. */
export interface CapabilityRealm {
  readonly inode: number
  /** Whether it is the host's own: only there they count for the whole machine. */
  readonly initial: boolean
  /** The user that root of it is outside of it: to the reader, or, in the same namespace, in the one above; undefined where it isn't mapped. */
  readonly rootUid: number | undefined
}

/** A thread whose sets are other than those of its process's main thread. */
export interface ThreadCapabilities {
  readonly tid: number
  readonly sets: ProcessCapabilities
}

/** What a process may do and come to do, by capabilities(7). */
export interface CapabilityView {
  readonly pid: number
  /** What the process calls itself: any characters. */
  readonly name: string
  /** The effective user id. */
  readonly uid: number
  /** Those of its main thread. */
  readonly sets: ProcessCapabilities
  /** Undefined where it may not be known which it is (ptrace(2), PTRACE_MODE_READ_FSCREDS). */
  readonly realm: CapabilityRealm | undefined
  /** Whether programs that it executes gain nothing by file capabilities and set-user-id bits. */
  readonly noNewPrivs: boolean
  /** Undefined of every process but the reader's own: the kernel tells nobody else. */
  readonly securebits: readonly Securebit[] | undefined
  readonly threads: readonly ThreadCapabilities[]
}

const OPERATION = 'read the capabilities of'

const failure = (pid: number, errno: string, hint: string): TareError =>
  new TareError({ operation: OPERATION, target: `process ${pid}`, errno: ERRNO[errno], hint })

const ended = (pid: number): TareError =>
  failure(pid, 'ESRCH', 'It has ended, or is not visible from this pid namespace.')

const requireText = (held: ProcProcess, file: string): string => {
  const text = held.read(file)
  if (text !== undefined) return text
  if (held.ended) throw ended(held.pid)
  throw failure(held.pid, 'EACCES', '/proc is mounted with hidepid: that takes CAP_SYS_PTRACE, or its group.')
}

const realmOf = (held: ProcProcess): CapabilityRealm | undefined => {
  const inode = held.namespace('user')
  if (inode === undefined) return undefined
  const map = held.read('uid_map')
  return {
    inode,
    initial: inode === INITIAL_USER_NAMESPACE,
    rootUid: map === undefined ? undefined : idOutside(parseIdMap(map), 0),
  }
}

const same = (a: ProcessCapabilities, b: ProcessCapabilities): boolean =>
  (['effective', 'permitted', 'inheritable', 'bounding', 'ambient'] as const).every((name) => a[name] === b[name])

const threadIds = (pid: number): readonly number[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    // It has ended, or its threads may not be known: what matters of that, the main thread's files tell.
    return []
  }
}

/** Threads come and go while they are read: those that go are left out. */
const threadsOf = (held: ProcProcess, main: ProcessCapabilities): readonly ThreadCapabilities[] =>
  threadIds(held.pid).flatMap((tid) => {
    const status = tid === held.pid ? undefined : held.read(`task/${tid}/status`)
    const sets = status === undefined ? main : parseStatusCapabilities(status)
    return same(sets, main) ? [] : [{ tid, sets }]
  })

const view = (held: ProcProcess): CapabilityView => {
  const text = requireText(held, 'status')
  const sets = parseStatusCapabilities(text)
  const { pid, name, uid, noNewPrivs, threads: count } = parseProcessStatus(text)
  const seen = {
    pid,
    name,
    uid: uid.effective,
    sets,
    realm: realmOf(held),
    noNewPrivs,
    securebits: pid === process.pid ? getSecurebits() : undefined,
    threads: count === 1 ? [] : threadsOf(held, sets),
  }
  if (held.ended) throw ended(pid)
  return seen
}

/**
 * The capabilities of a process of this host, or of a thread of one, by its id; by default of this process. All that is
 * told is of one and the same process, even if it ends meanwhile.
 *
 * @throws TareError where there is none of this id (`ESRCH`) or it may not be looked at.
 */
export const inspectCapabilities = (pid: number = process.pid): CapabilityView => {
  const proc = new ProcDirectory()
  try {
    const held = proc.open(pid)
    if (held === undefined) throw ended(pid)
    try {
      return view(held)
    } finally {
      held.close()
    }
  } finally {
    proc.close()
  }
}
