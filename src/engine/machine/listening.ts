import { TareError } from '../../linux/error.ts'
import { readProc } from '../../linux/proc.ts'
import type { InitKind } from '../../rootfs/init.ts'

/** How long an init may take until it listens to signals, in milliseconds: then it is sent one all the same. */
export const DEAF: Readonly<Record<InitKind, number>> = {
  systemd: 30_000,
  busybox: 1000,
  openrc: 1000,
  runit: 5000,
  sysvinit: 5000,
  other: 1000,
}

const maskIn = (status: string, field: string): bigint =>
  BigInt(`0x${new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`)

/**
 * Whether an init does anything on a signal yet. Systemd blocks it for good, to read it from a descriptor; runit and
 * sysvinit handle it. Others wait for
 * it by rt_sigtimedwait(2), meanwhile it doesn't count as blocked: but once they listen to any, they do to all.
 */
export const listensTo = (pid: number, kind: InitKind, signal: number): boolean => {
  let status: string
  try {
    status = readProc('read the signals of', pid, 'status')
  } catch (error) {
    if (error instanceof TareError && (error.code === 'ENOENT' || error.code === 'ESRCH')) return false
    throw error
  }
  const mask = maskIn(status, 'SigCgt') | maskIn(status, 'SigBlk')
  return ['systemd', 'runit', 'sysvinit'].includes(kind) ? ((mask >> BigInt(signal - 1)) & 1n) === 1n : mask !== 0n
}
