import { binding } from '../binding.ts'
import { InputError, TareError } from '../error.ts'
import { syscall, trySyscall } from '../syscall.ts'
import { readIfThere } from './file.ts'

/** How much of the time processes waited for a resource. */
export interface PressureLine {
  /** Percent of the last 10, 60, 300 seconds. */
  readonly avg10: number
  readonly avg60: number
  readonly avg300: number
  /** Microseconds in all. */
  readonly total: number
}

/** Pressure stall information (Documentation/accounting/psi.rst): `some` processes waited, or all (`full`) at once. */
export interface Pressure {
  readonly some: PressureLine | undefined
  readonly full: PressureLine | undefined
}

export type PressureResource = 'cpu' | 'memory' | 'io' | 'irq'
export type Pressures = Readonly<Partial<Record<PressureResource, Pressure>>>

const RESOURCES = ['cpu', 'memory', 'io', 'irq'] as const

/** The text of a pressure file. */
export const parsePressure = (text: string): Pressure => {
  const line = (kind: string): PressureLine | undefined => {
    const match = new RegExp(`^${kind} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)$`, 'm').exec(text)
    if (match === null) return undefined
    const [avg10 = 0, avg60 = 0, avg300 = 0, total = 0] = match.slice(1).map(Number)
    return { avg10, avg60, avg300, total }
  }
  return { some: line('some'), full: line('full') }
}

/** The pressure files of a directory, as far as there are; undefined if there are none. */
export const readPressures = (
  directory: string,
  file: (resource: PressureResource) => string,
): Pressures | undefined => {
  const entries = RESOURCES.flatMap((resource) => {
    const text = readIfThere(`${directory}/${file(resource)}`)
    return text === undefined ? [] : [[resource, parsePressure(text)] as const]
  })
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** The pressure on the whole host (/proc/pressure); undefined where the kernel doesn't keep it. */
export const readHostPressure = (): Pressures | undefined => readPressures('/proc/pressure', (resource) => resource)

/** When to be told: after this much waiting within a window. Microseconds. */
export interface PressureTrigger {
  readonly kind: 'some' | 'full'
  readonly stall: number
  /** 500000 to 10000000; without CAP_SYS_RESOURCE a multiple of 2000000. */
  readonly window: number
}

/** A trigger that is set. Close it when it isn't needed. */
export interface PressureWatch {
  /**
   * Resolves with true when the trigger fires next, or has since the last time; with false when it is closed first or
   * the group removed. One at a time.
   */
  next(): Promise<boolean>
  close(): void
}

const AT_FDCWD = -100
const O_RDWR_NONBLOCK_CLOEXEC = 0o2004002
const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLLIN = 1
const EPOLLPRI = 2
const EPOLLERR = 8
const EFD_CLOEXEC = 0o2000000

/** struct epoll_event is packed on x86-64 alone. */
const EVENT_SIZE = process.arch === 'x64' ? 12 : 16
const DATA_OFFSET = process.arch === 'x64' ? 4 : 8

const epollEvent = (events: number, data: number): Buffer => {
  const buffer = Buffer.alloc(EVENT_SIZE)
  buffer.writeUInt32LE(events, 0)
  buffer.writeUInt32LE(data, DATA_OFFSET)
  return buffer
}

const checkTrigger = ({ stall, window }: PressureTrigger): void => {
  if (
    Number.isInteger(stall) &&
    Number.isInteger(window) &&
    window >= 500_000 &&
    window <= 10_000_000 &&
    stall > 0 &&
    stall <= window
  )
    return
  throw new InputError({
    operation: 'set a pressure trigger of',
    target: `${stall} µs within ${window} µs`,
    reason: 'a window is 500000 to 10000000 µs, and a stall no longer than that',
  })
}

/**
 * Sets a trigger on a pressure file (`/proc/pressure/memory`, or `memory.pressure` of a group of version 2). The kernel
 * fires it at most once in a window. Throws {@link InputError}, {@link TareError} (Documentation/accounting/psi.rst).
 */
export const watchPressure = (file: string, trigger: PressureTrigger): PressureWatch => {
  checkTrigger(trigger)
  const fds: number[] = []
  const close = (): void => {
    for (const fd of fds.splice(0)) trySyscall('close', fd)
  }
  try {
    const open = { operation: 'open pressure file', target: file }
    const fd = syscall(open, 'openat', AT_FDCWD, file, O_RDWR_NONBLOCK_CLOEXEC, 0)
    fds.push(fd)
    const words = Buffer.from(`${trigger.kind} ${trigger.stall} ${trigger.window}\0`)
    const hint = 'Without CAP_SYS_RESOURCE the window must be a multiple of 2000000 µs.'
    syscall({ operation: 'set a pressure trigger on', target: file, hint }, 'write', fd, words, words.length)
    // The trigger speaks by POLLPRI, which the watcher doesn't ask for. An epoll descriptor that does is itself readable.
    const epoll = syscall({ operation: 'make an epoll descriptor' }, 'epoll_create1', EPOLL_CLOEXEC)
    const stop = syscall({ operation: 'make an event descriptor' }, 'eventfd2', 0, EFD_CLOEXEC)
    fds.push(epoll, stop)
    const watch = { operation: 'watch pressure file', target: file }
    syscall(watch, 'epoll_ctl', epoll, EPOLL_CTL_ADD, fd, epollEvent(EPOLLPRI, 1))
    syscall(watch, 'epoll_ctl', epoll, EPOLL_CTL_ADD, stop, epollEvent(EPOLLIN, 0))
    return pressureWatch(epoll, stop, close)
  } catch (error) {
    close()
    throw error
  }
}

/** What of the trigger (data 1) is ready now, without waiting. To ask takes the event away: psi_trigger_poll. */
const readyNow = (epoll: number): number => {
  const events = Buffer.alloc(2 * EVENT_SIZE)
  const count = trySyscall('epoll_pwait', epoll, events, 2, 0, null, 8)
  for (let index = 0; index < count; index += 1) {
    const at = index * EVENT_SIZE
    if (events.readUInt32LE(at + DATA_OFFSET) === 1) return events.readUInt32LE(at)
  }
  return 0
}

const pressureWatch = (epoll: number, stop: number, closeAll: () => void): PressureWatch => {
  let state: 'idle' | 'waiting' | 'closed' = 'idle'
  let wake: (fired: boolean) => void = () => undefined
  const next = (): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const ready = state === 'idle' ? readyNow(epoll) : EPOLLERR
      if (ready !== 0) {
        resolve((ready & EPOLLERR) === 0)
        return
      }
      state = 'waiting'
      wake = resolve
      const result = binding.watch(epoll, () => {
        const closing = state === 'closed'
        // The watcher's own look has taken the event away; only the error of a group that is gone stays.
        resolve(!closing && (readyNow(epoll) & EPOLLERR) === 0)
        if (closing) closeAll()
        else state = 'idle'
      })
      if (result >= 0) return
      state = 'idle'
      reject(new TareError({ operation: 'watch a pressure trigger', errno: -result }))
    })
  const close = (): void => {
    const before = state
    state = 'closed'
    if (before === 'closed') return
    if (before === 'idle' || binding.unwatch(epoll)) {
      closeAll()
      wake(false)
      return
    }
    // The watcher may hold the descriptors only while they are open: it is woken, and closes them then.
    trySyscall('write', stop, new BigUint64Array([1n]), 8)
  }
  return { next, close }
}
