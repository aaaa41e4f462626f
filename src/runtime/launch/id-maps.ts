import { ERRNO } from '../../linux/errno.ts'
import { formatIdMap } from '../../linux/idmap.ts'
import { REPORT_READY } from '../control.ts'
import { CONTROL } from '../plan/context.ts'
import type { LaunchContext } from './context.ts'
import type { IdMapSpec, LaunchSpec } from './spec.ts'

/** Whether there is something that only Tare, which stays outside, can do for the new namespaces. */
export const needsCaller = ({ unshare }: LaunchSpec): boolean =>
  unshare !== undefined &&
  (Object.keys(unshare.persistent).length > 0 ||
    [unshare.uids, unshare.gids].some((map) => map !== undefined && map.by !== 'self'))

const HINTS = {
  EPERM: 'An ordinary user may map only its own id; more takes newuidmap(1) and a range in /etc/subuid.',
  EINVAL: 'The mappings overlap, or there are too many.',
  EACCES: 'The file belongs to another user: is /proc that of this pid namespace?',
  ENOENT: 'There must be a /proc that shows this process.',
}

const writeOwn = (context: LaunchContext, which: 'uid' | 'gid', map: IdMapSpec | undefined): void => {
  if (map?.by !== 'self') return
  const text = formatIdMap(map.mappings)
  context.write(`/proc/self/${which}_map`, text, { what: `map the ${which}s (${text.trim()})`, hints: HINTS })
}

/** Waits until Tare has written maps and mounted namespaces on files. */
const planWait = (context: LaunchContext): void => {
  const { stage, data } = context
  const ready = data.space(16, '{ready}')
  data.setWord(ready.offset, REPORT_READY)
  stage.call({ what: 'say that the namespaces are there' }, 'write', [CONTROL, ready, 16])
  const words = { what: 'wait until the namespaces are set up', why: 'by Tare, from outside' }
  const received = stage.callFor('received', words, 'recvfrom', [CONTROL, data.space(8, 'a byte'), 1, 0, 0, 0])
  stage.check(words, received, 1, ERRNO['EPIPE'] ?? 32)
  stage.release(received)
}

/**
 * The ids of a new user namespace. Whether setgroups(2) works there has to be said before its group ids are mapped
 * (user_namespaces(7); CVE-2014-8989 is why).
 */
export const planIdMaps = (context: LaunchContext): void => {
  const { stage, spec } = context
  stage.mechanism('namespaces')
  const { setgroups, uids, gids } = spec.unshare ?? {}
  if (setgroups !== undefined)
    context.write('/proc/self/setgroups', setgroups, {
      what: `${setgroups} setgroups`,
      why: setgroups === 'deny' ? 'nobody there drops a group that keeps him out of something' : '',
      hints: {
        EPERM: 'It was denied in a user namespace above.',
        ENOENT: 'There must be a /proc that shows this process.',
      },
    })
  if (needsCaller(spec)) planWait(context)
  writeOwn(context, 'uid', uids)
  writeOwn(context, 'gid', gids)
}
