import { Buffer } from 'node:buffer'
import { unlinkSync } from 'node:fs'
import { errnoName } from '../../linux/errno.ts'
import { TareError } from '../../linux/error.ts'
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY } from '../../linux/fcntl.ts'
import { syscall, trySyscall } from '../../linux/syscall.ts'
import { whenEnded } from '../../linux/pidfd.ts'
import { ContainerDirectory } from './container-directory.ts'
import { endProcesses } from './delete.ts'
import { runHooks } from './host-hooks.ts'
import type { ContainerRecord } from './record.ts'
import { stateOf, statusOf, withoutProcess, wrongStatus } from './status.ts'

/** native/plan.h: struct report. */
const REPORT_SIZE = 16

const openNow = (path: string, flags: number): number =>
  syscall({ operation: 'open', target: path }, 'openat', AT_FDCWD, path, flags | O_NONBLOCK | O_CLOEXEC, 0)

/** What the stage reported instead of becoming the program; undefined if it became that. */
const failureOf = (record: ContainerRecord, report: Buffer): TareError => {
  const step = record.steps[report.readUInt32LE(4) - record.firstStep]
  const errno = report.readInt32LE(8)
  return new TareError({
    operation: step?.what ?? 'start the program',
    syscall: step?.call,
    errno,
    hint: step?.hints?.[errnoName(errno)] ?? step?.hints?.['*'],
  })
}

/** Lets the stage go on, and waits until it has become the program. Throws what it failed with. */
const letGo = async (directory: ContainerDirectory, record: ContainerRecord): Promise<void> => {
  const report = openNow(directory.reportFifo, O_RDONLY)
  try {
    const start = openNow(directory.startFifo, O_WRONLY)
    unlinkSync(directory.startFifo)
    syscall({ operation: 'start container', target: record.id }, 'write', start, Buffer.from('0'), 1)
    trySyscall('close', start)
    // At its end when the other side is closed: by the exec, or by the end of the process.
    await whenEnded(report)
    const bytes = Buffer.alloc(REPORT_SIZE)
    if (trySyscall('read', report, bytes, bytes.length) === REPORT_SIZE) throw failureOf(record, bytes)
  } finally {
    trySyscall('close', report)
    trySyscall('unlinkat', AT_FDCWD, directory.reportFifo, 0)
  }
}

/** `start`: a created container runs its program. Throws {@link TareError} if that can't be; then it is stopped. */
export const startContainer = async (root: string, id: string): Promise<void> => {
  const directory = new ContainerDirectory(root, id)
  directory.lock()
  try {
    const record = directory.read()
    const status = statusOf(directory, record)
    if (status !== 'created') throw wrongStatus('start', id, status, 'Only a created container can be started.')
    if (record.steps.length === 0) throw withoutProcess(id)
    await letGo(directory, record)
    await runHooks('poststart', record.poststart, stateOf(record, 'running')).catch(async (error: unknown) => {
      await endProcesses(record)
      throw error
    })
  } finally {
    directory.unlock()
  }
}
