/** Runs plans in the real stage: the one built here through the addon, or one of another machine under qemu. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { binding } from '../../src/linux/binding.ts'
import type { Architecture } from '../../src/linux/syscall-table.ts'
import { ARCHITECTURE, syscall, trySyscall } from '../../src/linux/syscall.ts'

const AF_UNIX = 1
const SEQPACKET_CLOEXEC = 0x80005
const O_CLOEXEC_NONBLOCK = 0x80800
const MFD_CLOEXEC = 1
const MSG_DONTWAIT = 0x40

/** Where a plan finds a pipe to the test; 3 and 4 are the stage's own. */
export const OUT = 5

export interface Report {
  readonly kind: 'failed' | 'refused'
  /** -1 if the header, the relocations or the data are to blame. */
  readonly step: number
  readonly error: number
}

export interface Outcome {
  readonly exitCode: number | undefined
  readonly signal: number | undefined
  readonly reports: readonly Report[]
  /** What came through the pipe. */
  readonly output: Buffer
  /** The plan as it is afterwards. */
  readonly plan: Buffer
}

export interface Running {
  readonly pid: number
  /** Waits until so many bytes have come through the pipe. */
  outputs(count: number): Promise<void>
  readonly outcome: Promise<Outcome>
}

export interface Machine {
  readonly name: string
  readonly architecture: Architecture
  /** Why a process can't be made to get the orphans of its descendants (PR_SET_CHILD_SUBREAPER); undefined if it can. */
  readonly noSubreaper: string | undefined
  /** Starts the stage with a plan in the memfd of slot 4, or with another descriptor there. */
  start(plan: Uint8Array, planFd?: number): Running
}

interface Ends {
  readonly control: readonly [ours: number, theirs: number]
  readonly out: readonly [ours: number, theirs: number]
  readonly plan: number
  /** /dev/null, for the standard input. */
  readonly empty: number
}

const purpose = { operation: 'prepare the stage' }

const pair = (values: Int32Array): readonly [number, number] => [values[0] ?? -1, values[1] ?? -1]

const openEnds = (plan: Uint8Array): Ends => {
  const sockets = new Int32Array(2)
  const pipe = new Int32Array(2)
  syscall(purpose, 'socketpair', AF_UNIX, SEQPACKET_CLOEXEC, 0, sockets)
  syscall(purpose, 'pipe2', pipe, O_CLOEXEC_NONBLOCK)
  const memfd = syscall(purpose, 'memfd_create', 'plan', MFD_CLOEXEC)
  if (plan.length > 0) assert.equal(syscall(purpose, 'write', memfd, plan, plan.length), plan.length)
  const empty = syscall(purpose, 'openat', -100, '/dev/null', O_CLOEXEC_NONBLOCK)
  return { control: pair(sockets), out: pair(pipe), plan: memfd, empty }
}

const close = (...fds: readonly number[]): void => {
  for (const fd of fds) trySyscall('close', fd)
}

const readReports = (socket: number): readonly Report[] => {
  const reports: Report[] = []
  for (;;) {
    const bytes = Buffer.alloc(64)
    const length = trySyscall('recvfrom', socket, bytes, bytes.length, MSG_DONTWAIT, null, null)
    if (length <= 0) return reports
    assert.equal(length, 16, 'a report has 16 bytes')
    reports.push({
      kind: bytes.readUInt32LE(0) === 1 ? 'failed' : 'refused',
      step: bytes.readInt32LE(4),
      error: bytes.readInt32LE(8),
    })
  }
}

const readAll = (fd: number): Buffer => {
  const bytes = Buffer.alloc(65536)
  const length = trySyscall('read', fd, bytes, bytes.length)
  return bytes.subarray(0, Math.max(length, 0))
}

const readPlan = (fd: number): Buffer => {
  const bytes = Buffer.alloc(65536)
  return bytes.subarray(0, Math.max(trySyscall('pread64', fd, bytes, bytes.length, 0), 0))
}

type Ending = Pick<Outcome, 'exitCode' | 'signal'>

/** Gathers what the stage has left once it has ended, and closes our ends. */
const follow = (pid: number, ends: Ends, ended: Promise<Ending>): Running => {
  close(ends.control[1], ends.out[1], ends.empty)
  const output: Buffer[] = []
  const take = (): number => {
    output.push(readAll(ends.out[0]))
    return Buffer.concat(output).length
  }
  const outcome = async (): Promise<Outcome> => {
    const ending = await ended
    take()
    const result = {
      ...ending,
      reports: readReports(ends.control[0]),
      output: Buffer.concat(output),
      plan: readPlan(ends.plan),
    }
    close(ends.control[0], ends.out[0], ends.plan)
    return result
  }
  return {
    pid,
    outputs: async (count) => {
      while (take() < count) await delay(5)
    },
    outcome: outcome(),
  }
}

/** Waits for a process of the addon's, reaps it and frees what it used. */
export const waitFor = async (pid: number, started: BigInt64Array): Promise<number> => {
  const [pidfd = -1n, child = 0n] = started
  await new Promise<void>((resolve) => {
    assert.equal(binding.watch(Number(pidfd), resolve), 0)
  })
  const status = new Int32Array(1)
  assert.equal(trySyscall('wait4', pid, status, 0, null), pid)
  close(Number(pidfd))
  assert.equal(binding.finish(child), 0, 'it became the stage')
  return status[0] ?? 0
}

const waited = async (pid: number, started: BigInt64Array): Promise<Ending> => {
  const word = await waitFor(pid, started)
  const signal = word & 0x7f
  return signal === 0 ? { exitCode: word >> 8, signal: undefined } : { exitCode: undefined, signal }
}

/** The stage that the addon carries. */
export const ownMachine: Machine = {
  name: ARCHITECTURE,
  architecture: ARCHITECTURE,
  noSubreaper: undefined,
  start: (plan, planFd) => {
    const ends = openEnds(plan)
    const result = new BigInt64Array(2)
    const slots = Int32Array.of(ends.empty, 1, 2, ends.control[1], planFd ?? ends.plan, ends.out[1])
    const pid = binding.start(0, slots, -1, false, 0, result)
    assert.ok(pid > 0, `start: ${pid}`)
    return follow(pid, ends, waited(pid, result))
  },
}

/** A stage built for arm64, run by qemu's emulation of a process. */
export const emulatedMachine = (qemu: string, stage: string): Machine => ({
  name: 'aarch64',
  architecture: 'aarch64',
  noSubreaper: 'qemu does not emulate PR_SET_CHILD_SUBREAPER',
  start: (plan, planFd) => {
    const ends = openEnds(plan)
    const stdio = ['ignore' as const, 'inherit' as const, 'inherit' as const]
    const child = spawn(qemu, [stage], { stdio: [...stdio, ends.control[1], planFd ?? ends.plan, ends.out[1]] })
    const ended = once(child, 'exit').then(([code, signal]): Ending => {
      if (typeof code === 'number') return { exitCode: code, signal: undefined }
      return { exitCode: undefined, signal: new Map(Object.entries(constants.signals)).get(String(signal)) }
    })
    return follow(child.pid ?? -1, ends, ended)
  },
})
