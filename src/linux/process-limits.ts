import type { RlimitName } from './rlimit.ts'

/** What /proc/PID/limits calls the limits (proc_pid_limits(5)). */
const NAMES: Readonly<Record<string, RlimitName>> = {
  'Max cpu time': 'RLIMIT_CPU',
  'Max file size': 'RLIMIT_FSIZE',
  'Max data size': 'RLIMIT_DATA',
  'Max stack size': 'RLIMIT_STACK',
  'Max core file size': 'RLIMIT_CORE',
  'Max resident set': 'RLIMIT_RSS',
  'Max processes': 'RLIMIT_NPROC',
  'Max open files': 'RLIMIT_NOFILE',
  'Max locked memory': 'RLIMIT_MEMLOCK',
  'Max address space': 'RLIMIT_AS',
  'Max file locks': 'RLIMIT_LOCKS',
  'Max pending signals': 'RLIMIT_SIGPENDING',
  'Max msgqueue size': 'RLIMIT_MSGQUEUE',
  'Max nice priority': 'RLIMIT_NICE',
  'Max realtime priority': 'RLIMIT_RTPRIO',
  'Max realtime timeout': 'RLIMIT_RTTIME',
}

/** How far a process may raise a limit itself; undefined: as far as it likes. In the limit's own unit. */
export type HardLimits = Readonly<Partial<Record<RlimitName, bigint | undefined>>>

/** The hard limits in the text of /proc/PID/limits. A limit that has no name here is left out. */
export const parseHardLimits = (text: string): HardLimits => {
  const limits: Partial<Record<RlimitName, bigint | undefined>> = {}
  for (const line of text.split('\n')) {
    const match = /^(Max .+?) {2,}(\S+) +(\S+)/.exec(line)
    const name = NAMES[match?.[1] ?? '']
    const hard = match?.[3] ?? ''
    if (name !== undefined) limits[name] = /^\d+$/.test(hard) ? BigInt(hard) : undefined
  }
  return limits
}
