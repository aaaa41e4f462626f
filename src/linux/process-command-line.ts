import type { ProcId } from './proc.ts'
import { readProc } from './proc.ts'

/**
 * The arguments in the text of /proc/PID/cmdline: each ends with a NUL character. A process may write anything
 * there: one that shows a title of its own often leaves one argument, or empty ones behind it. Empty for a thread of
 * the kernel and for a process that has ended. proc_pid_cmdline(5)
 */
export const parseCommandLine = (text: string): readonly string[] => {
  if (text === '') return []
  const whole = text.endsWith('\0') ? text.slice(0, -1) : text
  return whole.split('\0')
}

/** The arguments of a process, its own name first. Throws if there is none of this id. proc_pid_cmdline(5) */
export const readCommandLine = (pid: ProcId): readonly string[] =>
  parseCommandLine(readProc('read the command line of', pid, 'cmdline'))
