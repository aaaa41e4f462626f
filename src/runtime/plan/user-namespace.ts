import type { IdMapping } from '../../linux/idmap.ts'
import { CLONE_NEWUSER } from '../../linux/namespace.ts'
import { named } from '../../plan/step.ts'
import type { PlanContext } from './context.ts'
import { REPORT_READY } from '../control.ts'
import { CONTROL, CWD } from './context.ts'
import { receiveInto } from './receive.ts'

const WRITE_ONLY = named(0o2000001, 'O_WRONLY|O_CLOEXEC')

/** An id of the host, always as wide: so that another can take its place in a plan (plan-template.ts). */
export const idText = (id: number): string => String(id).padStart(10)

/** The text of a uid_map; the kernel takes any space between numbers (user_namespaces(7)). */
export const mapText = (mappings: readonly IdMapping[]): string =>
  mappings.map(({ inside, outside, size }) => `${inside} ${idText(outside)} ${size}\n`).join('')

const writeMap = (context: PlanContext, file: 'uid_map' | 'gid_map' | 'setgroups', text: string, why: string): void => {
  const { grant, ownData } = context
  const words = {
    what: `write ${file}`,
    why,
    hints: {
      EPERM: 'An ordinary user may map only its own id; more takes newuidmap(1) and a range in /etc/subuid.',
      EINVAL: 'The mappings overlap, or there are too many.',
    },
  }
  const fd = grant.callFor(`${file} fd`, words, 'openat', [
    CWD,
    { kind: 'template', text: `/proc/{pid}/${file}` },
    WRITE_ONLY,
  ])
  const bytes = new TextEncoder().encode(text)
  grant.call(words, 'write', [fd, ownData.add(bytes, JSON.stringify(text)), bytes.length])
}

/** Namespaces that the clone makes: the pid namespace, and the user namespace that is to own all others. */
export const planUserNamespace = (context: PlanContext): number => {
  const { userNamespace } = context.spec
  if (userNamespace.kind === 'host') return 0
  context.grant.mechanism('namespaces')
  if (!userNamespace.helper) {
    // Else an ordinary user could drop a group that keeps it out of something (CVE-2014-8989).
    if (!context.host.privileged) writeMap(context, 'setgroups', 'deny', 'an ordinary user may not drop its groups')
    writeMap(context, 'uid_map', mapText(userNamespace.uids), 'which ids of the host its user ids are')
    writeMap(context, 'gid_map', mapText(userNamespace.gids), 'which ids of the host its group ids are')
  }
  return CLONE_NEWUSER
}

/** Says that the namespaces are there, so that others can be sent into them. */
const planReady = ({ stage, data }: PlanContext): void => {
  const message = data.space(16, '{ready}')
  data.setWord(message.offset, REPORT_READY)
  const words = { what: 'say that the namespaces are there', why: 'now Tare can make the link to the host' }
  stage.call(words, 'write', [CONTROL, message, 16])
}

/**
 * The first steps of a stage that waits for what only Tare can do: descriptors to be handed to it, a link to the host to
 * be made. To be called when all other steps are there; these go before them.
 */
export const planMeeting = (context: PlanContext): void => {
  const { stage, handed, spec } = context
  const linked = spec.network === 'veth'
  if (handed.length === 0 && !linked) return
  const first = stage.steps.length
  stage.mechanism('start')
  if (linked) planReady(context)
  const words =
    handed.length === 0
      ? { what: 'wait until the link is there' }
      : { what: 'receive descriptors', why: 'of trees whose owners are mapped, which only the host can do' }
  receiveInto(
    stage,
    words,
    handed.map(({ received }) => received),
  )
  stage.prepend(stage.steps.splice(first))
}
