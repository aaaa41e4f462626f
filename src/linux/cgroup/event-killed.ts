import { KernelLog } from '../kernel-log.ts'
import { OomReader } from '../oom-report.ts'
import type { EventSource } from './event.ts'

/** Which processes of a group were killed for want of memory: the kernel says that in its log alone. */
export const killedSource = (group: string): EventSource => {
  const log = new KernelLog()
  const reader = new OomReader()
  const below = group === '/' ? '/' : `${group}/`
  return {
    fds: [log.fd],
    take: () =>
      log.read().flatMap((message) => {
        const victim = reader.take(message)
        if (victim?.group === undefined || !`${victim.group}/`.startsWith(below)) return []
        return [{ kind: 'killed', ...victim } as const]
      }),
    close: () => log.close(),
  }
}
