import type { NamespaceKind } from '../../linux/namespace.ts'
import { namespaceFlags, NAMESPACES } from '../../linux/namespace.ts'
import type { Step } from '../../plan/step.ts'
import { named } from '../../plan/step.ts'
import { StepBuilder } from '../../plan/builder.ts'
import { DataBuilder } from '../../plan/data.ts'
import { PR_SET_DUMPABLE } from '../plan/prctl.ts'
import type { Unshare } from '../stage.ts'
import { joinedByBirth } from './asked-namespaces.ts'
import type { OciContext } from './context.ts'
import { CWD } from '../plan/context.ts'

const kindNames = (kinds: readonly NamespaceKind[]): string =>
  kinds.map((kind) => `CLONE_NEW${kind === 'mnt' ? 'NS' : kind.toUpperCase()}`).join('|')

/** Joins namespaces by files that Tare has opened: those of a user last where the rest is not in its power. */
const planJoins = (context: OciContext): void => {
  const { stage, namespaces, host } = context
  const born = new Set(joinedByBirth(namespaces, host.uid).map(([kind]) => kind))
  const left = [...namespaces.joined].filter(([kind]) => !born.has(kind))
  if (left.length === 0 && born.size === 0) return
  stage
    .mechanism('start')
    .call(
      { what: 'be opaque', why: 'no process of a namespace that is joined may look into this one (CVE-2016-9962)' },
      'prctl',
      [PR_SET_DUMPABLE, 0, 0, 0, 0],
    )
  stage.mechanism('namespaces')
  const rank = (kind: NamespaceKind): number => (kind !== 'user' ? 1 : host.uid === 0 ? 2 : 0)
  for (const [kind, path] of left.toSorted(([a], [b]) => rank(a) - rank(b))) {
    const register = context.prepare.callFor(`${kind} namespace fd`, { what: `open the namespace ${path}` }, 'openat', [
      CWD,
      context.ownData.string(path),
      named(0o2000000, 'O_RDONLY|O_CLOEXEC'),
      0,
    ])
    stage.call(
      {
        what: `join the ${kind} namespace ${path}`,
        hints: {
          EINVAL: `It is no ${kind} namespace.`,
          EPERM: 'It takes CAP_SYS_ADMIN in the user namespace that owns it.',
        },
      },
      'setns',
      [context.inherit(register), named(NAMESPACES[kind].flag, kindNames([kind]))],
    )
  }
}

const UNSHARE_WORDS = {
  what: 'make new namespaces',
  hints: {
    EPERM: 'It takes root, or a user namespace of its own.',
    ENOSPC: 'A limit in /proc/sys/user/max_*_namespaces is reached.',
    EINVAL: 'This kernel lacks one of these namespaces (see "tare info").',
  },
}

/** Those that the process makes before it is the stage, or, in a user namespace that it has joined, as the stage. */
const planMade = (context: OciContext): Unshare | undefined => {
  const { namespaces, stage } = context
  const made = [...namespaces.made].filter((kind) => !['pid', 'user', 'cgroup', 'time'].includes(kind))
  if (made.length === 0) return undefined
  const flags = named(namespaceFlags(made), kindNames(made))
  if (namespaces.joined.has('user')) {
    stage.mechanism('namespaces').call(UNSHARE_WORDS, 'unshare', [flags])
    return undefined
  }
  const builder = new StepBuilder(new DataBuilder(0, 0)).mechanism('namespaces')
  builder.call(UNSHARE_WORDS, 'unshare', [flags])
  const step: Step | undefined = builder.steps[0]
  return step === undefined ? undefined : { flags: flags.value, step }
}

/** The offsets of its clocks, which can be set as long as no process is in it (time_namespaces(7)). */
const planTime = (context: OciContext): (() => void) => {
  const { namespaces, stage, oci, data } = context
  if (!namespaces.made.has('time')) return () => {}
  stage.mechanism('namespaces')
  const offsets = Object.entries(oci.linux?.timeOffsets ?? {})
  const text = offsets.map(([clock, { secs = 0, nanosecs = 0 } = {}]) => `${clock} ${secs} ${nanosecs}\n`).join('')
  // Before any other namespace is joined: the file's owner is whom this process's dumpability makes it.
  const file =
    text === ''
      ? undefined
      : stage.callFor('time offsets', { what: 'open the offsets of its clocks' }, 'openat', [
          CWD,
          context.string('/proc/self/timens_offsets'),
          named(0o2000001, 'O_WRONLY|O_CLOEXEC'),
          0,
        ])
  return () => {
    stage.call(
      { what: 'make a new time namespace', why: 'the program enters it as it starts', hints: UNSHARE_WORDS.hints },
      'unshare',
      [named(NAMESPACES.time.flag, 'CLONE_NEWTIME')],
    )
    if (file === undefined) return
    const bytes = new TextEncoder().encode(text)
    stage.call(
      {
        what: 'set the offsets of its clocks',
        hints: { ERANGE: 'A clock may neither become negative, nor reach 146 years.' },
      },
      'write',
      [file, data.add(bytes, JSON.stringify(text)), bytes.length],
    )
    stage.call({ what: 'close them' }, 'close', [file])
    stage.release(file)
  }
}

/** Joins and makes the namespaces; returns those that the process makes before it is the stage. */
export const planContainerNamespaces = (context: OciContext): Unshare | undefined => {
  const time = planTime(context)
  planJoins(context)
  const unshare = planMade(context)
  time()
  if (context.namespaces.joined.has('user')) {
    const { stage } = context
    const words = { what: 'be root of the user namespace', hints: { EINVAL: 'It maps no root.' } }
    stage.call(words, 'setresgid', [0, 0, 0])
    stage.call(words, 'setresuid', [0, 0, 0])
  }
  context.stage.call(
    { what: 'clear the umask', why: 'so that files get exactly the mode they are given' },
    'umask',
    [0],
  )
  return unshare
}
