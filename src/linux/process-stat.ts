import { readFileSync } from 'node:fs'

import { InputError, TareError } from './error.ts'
import type { ProcId } from './proc.ts'
import { readProc } from './proc.ts'
import { syscall } from './syscall.ts'

/** What the kernel calls a tick here is 1/100 s on every architecture (USER_HZ), whatever its own clock runs at. */
const MICROSECONDS_PER_TICK = 10_000
const MILLISECONDS_PER_TICK = 10

/** What /proc/PID/stat tells of a process (proc_pid_stat(5)). */
export interface ProcessStat {
  readonly pid: number
  /** The name of the program, cut to 15 bytes, or what the process calls itself. Any characters but NUL. */
  readonly comm: string
  /** One letter: R running, S sleeping, D waiting for a disk, Z ended but not waited for, T stopped, t traced, I idle. */
  readonly state: string
  /** The parent; 0 where it is outside of the reader's pid namespace, or there is none. */
  readonly ppid: number
  /** The process group; 0 where its leader is outside of the reader's pid namespace. */
  readonly pgrp: number
  readonly session: number
  /** The device number of the terminal; 0 for none. */
  readonly tty: number
  /** The process group that its terminal takes for the foreground; -1 for none. */
  readonly foreground: number
  /** Whether it is a thread of the kernel (PF_KTHREAD). */
  readonly isKernelThread: boolean
  /** Microseconds of processor time, of all its threads, those that ended included. */
  readonly cpu: { readonly user: number; readonly system: number }
  /** Microseconds that children took which ended and were waited for. */
  readonly childrenCpu: { readonly user: number; readonly system: number }
  readonly nice: number
  readonly threads: number
  /** Milliseconds from the boot of the machine to its start, in steps of 10. See {@link timeSinceBoot}. */
  readonly startTime: number
  /** Bytes of address space; 0 for a thread of the kernel, and for a process that has ended. */
  readonly virtualMemory: number
}

const PF_KTHREAD = 0x00200000

/** Numbers of fields in proc_pid_stat(5), less 4: the ones behind the state, counted from 0. */
const PPID = 0
const PGRP = 1
const SESSION = 2
const TTY = 3
const TPGID = 4
const FLAGS = 5
const UTIME = 10
const STIME = 11
const CUTIME = 12
const CSTIME = 13
const NICE = 15
const THREADS = 16
const START = 18
const VSIZE = 19

const ZERO = 48
const NINE = 57
const MINUS = 45

/** The first numbers in a text from a place on, each with one character behind it. This is read of every process. */
const numbersIn = (text: string, from: number, count: number): readonly number[] => {
  const numbers: number[] = []
  let value = 0
  let sign = 1
  for (let at = from; at < text.length && numbers.length < count; at++) {
    const code = text.charCodeAt(at)
    if (code >= ZERO && code <= NINE) {
      value = value * 10 + (code - ZERO)
    } else if (code === MINUS) {
      sign = -1
    } else {
      numbers.push(sign * value)
      value = 0
      sign = 1
    }
  }
  return numbers
}

/**
 * Reads the text of /proc/PID/stat. The name stands in parentheses and may itself hold parentheses, spaces and ends
 * of lines: it goes up to the last parenthesis. Throws {@link InputError} for other text.
 */
export const parseProcessStat = (text: string): ProcessStat => {
  const open = text.indexOf(' (')
  const close = text.lastIndexOf(') ')
  const pid = Number(text.slice(0, open))
  // Behind the name come a space, the state (one letter) and a space.
  const numbers = numbersIn(text, close + 4, VSIZE + 1)
  if (open < 1 || close < open + 2 || numbers.length <= VSIZE || !Number.isSafeInteger(pid)) {
    throw new InputError({ operation: 'read the state of a process', reason: 'the text is not that of a stat file' })
  }
  const at = (field: number): number => numbers[field] ?? 0
  return {
    pid,
    comm: text.slice(open + 2, close),
    state: text.charAt(close + 2),
    ppid: at(PPID),
    pgrp: at(PGRP),
    session: at(SESSION),
    // The kernel prints an unsigned number as a signed one.
    tty: at(TTY) >>> 0,
    foreground: at(TPGID),
    isKernelThread: (at(FLAGS) & PF_KTHREAD) !== 0,
    cpu: { user: at(UTIME) * MICROSECONDS_PER_TICK, system: at(STIME) * MICROSECONDS_PER_TICK },
    childrenCpu: { user: at(CUTIME) * MICROSECONDS_PER_TICK, system: at(CSTIME) * MICROSECONDS_PER_TICK },
    nice: at(NICE),
    threads: at(THREADS),
    startTime: at(START) * MILLISECONDS_PER_TICK,
    virtualMemory: at(VSIZE),
  }
}

/** What the kernel tells of a process. Throws if there is none of this id. proc_pid_stat(5) */
export const readProcessStat = (pid: ProcId): ProcessStat =>
  parseProcessStat(readProc('read the state of', pid, 'stat'))

/**
 * How many pages of a process are in memory, from the text of /proc/PID/statm. What `stat` says of that is a guess, which
 * for a small process is 0: it leaves out what each processor has counted lately. proc_pid_statm(5)
 */
export const residentPages = (statm: string): number => {
  const pages = Number(statm.split(' ', 2)[1])
  if (Number.isSafeInteger(pages)) return pages
  throw new InputError({ operation: 'read the memory of a process', reason: 'the text is not that of a statm file' })
}

const AT_PAGESZ = 6n
const WORD = 8

/** How many bytes a page of memory has. Throws where it takes /proc to know, and that isn't mounted. getauxval(3) */
export const pageSize = (): number => {
  if (process.arch === 'x64') return 4096
  const words = readFileSync('/proc/self/auxv')
  for (let at = 0; at + 2 * WORD <= words.length; at += 2 * WORD) {
    if (words.readBigUInt64LE(at) === AT_PAGESZ) return Number(words.readBigUInt64LE(at + WORD))
  }
  throw new TareError({ operation: 'find the size of a page', reason: 'the kernel has not told it' })
}

const CLOCK_BOOTTIME = 7

/** Milliseconds since the boot of the machine, as this time namespace counts them. clock_gettime(2) */
export const timeSinceBoot = (): number => {
  const time = new BigInt64Array(2)
  syscall({ operation: 'read the time since boot' }, 'clock_gettime', CLOCK_BOOTTIME, time)
  const [seconds = 0n, nanoseconds = 0n] = time
  return Number(seconds) * 1000 + Number(nanoseconds) / 1e6
}
