import type { CgroupLayout } from '../../linux/cgroup/layout.ts'
import { readCgroupLayout } from '../../linux/cgroup/layout.ts'
import { InputError, TareError } from '../../linux/error.ts'
import { readSeccompFilters } from '../../linux/seccomp/read-filters.ts'
import { trySyscall } from '../../linux/syscall.ts'
import type { Promised } from '../../runtime/promise.ts'
import { auditCapabilities } from './capabilities.ts'
import { auditDescriptors } from './descriptors.ts'
import { readDeviceRules } from './device-rules.ts'
import { auditDevices } from './devices.ts'
import { auditFiles, canChangeHost, chrootPath } from './files.ts'
import type { FilterContent } from './filter-content.ts'
import { filterContent } from './filter-content.ts'
import type { Finding, Verdict, Wall } from './finding.ts'
import { WALLS, verdictOf } from './finding.ts'
import { hostPaths } from './host-paths.ts'
import type { HostView } from './host-view.ts'
import { readHostView } from './host-view.ts'
import { auditIds } from './ids.ts'
import { auditKernel } from './kernel.ts'
import { auditLimits } from './limits.ts'
import { auditModules, readLabel } from './modules.ts'
import { auditNamespaces } from './namespaces.ts'
import { auditPrivileges } from './privileges.ts'
import { ProcessFiles } from './process-files.ts'
import type { PromiseCheck } from './promises.ts'
import { checkPromises } from './promises.ts'
import { auditRoot } from './root.ts'
import { NOT_ASKED, auditSeccomp } from './seccomp.ts'
import { auditSockets } from './sockets.ts'
import type { Subject } from './subject.ts'
import { readSubject } from './subject.ts'
import { findTareContainer, programOf } from './tare-container.ts'
import { leaderOf } from './target.ts'
import { auditTerminal } from './terminal.ts'

/** What contains a process, as the kernel tells it. */
export interface Audit {
  readonly pid: number
  /** The name of its program, which it may have chosen itself. */
  readonly name: string
  /** Its arguments, which it may have changed. */
  readonly command: readonly string[]
  readonly verdict: Verdict
  /** In the order of the walls. */
  readonly findings: readonly Finding[]
  /** The container of Tare's that it is in. */
  readonly container: PromisedContainer | undefined
}

/** A container of Tare's, beside what it was promised. */
export interface PromisedContainer {
  /** The process of Tare's with which it ends: its PID 1, or the one around where the program is PID 1 itself. */
  readonly init: number
  /** What was promised and what was found; undefined where what was promised isn't to be found. */
  readonly promises: readonly PromiseCheck[] | undefined
}

/** A container of this process: `audit` holds it against what it was promised. */
export interface AuditedContainer {
  readonly pid: number
  readonly promised: Promised
}

const readContent = ({ pid, status, files }: Subject, { filter = false }: AuditOptions): FilterContent | string => {
  if (!filter || status.seccomp !== 'filter') return NOT_ASKED
  try {
    return filterContent(readSeccompFilters(pid, () => files.checkAlive()))
  } catch (error) {
    if (error instanceof TareError && error.code !== 'ESRCH') return error.message.replace('\n', '. ')
    throw error
  }
}

const examine = (
  subject: Subject,
  layout: CgroupLayout,
  options: AuditOptions,
  isKeeper: boolean,
): readonly Finding[] => {
  const chroot = chrootPath(subject)
  const paths = [...(chroot === undefined ? [] : [chroot]), ...hostPaths(subject.mounts, subject.host.mounts)]
  const rules = readDeviceRules(subject, layout)
  const label = readLabel(subject)
  const situation = {
    hostFiles: paths.some((path) => canChangeHost(subject, path)),
    hostFilesystem: paths.length > 0,
    allDevices: rules.kind === 'unknown' || rules.kind === 'program' ? undefined : rules.kind === 'all',
    confined: label?.confined === true,
  }
  return [
    ...auditNamespaces(subject),
    ...auditIds(subject),
    ...auditCapabilities(subject, situation),
    ...auditPrivileges(subject),
    ...auditSeccomp(subject, readContent(subject, options), { isKeeper }),
    ...auditRoot(subject),
    ...auditFiles(subject, paths),
    ...auditKernel(subject),
    ...auditDevices(subject, rules),
    ...auditSockets(subject, paths),
    ...auditDescriptors(subject),
    ...auditTerminal(subject),
    ...auditLimits(subject, layout),
    ...auditModules(label),
  ]
}

export interface AuditOptions {
  /** Walls that are left out, also from the verdict. */
  readonly except?: readonly Wall[]
  /**
   * Reads the filters of system calls, and so what they refuse. For that the process is stopped for a fraction of a
   * millisecond: a call in which it waits may end with EINTR. Takes CAP_SYS_ADMIN.
   */
  readonly filter?: boolean
}

/** A promise that isn't kept weighs, whatever it is about: somebody changed the container after its start. */
const broken = (promises: readonly PromiseCheck[]): readonly Finding[] =>
  promises.flatMap(({ wall, promised, found, kept }): readonly Finding[] =>
    kept === false
      ? [
          {
            id: 'promise',
            wall,
            state: 'open',
            severity: 'weakness',
            found: `promised ${promised}; found ${found}`,
            why: 'It is not as it was when it was started: something with power over it has changed it.',
            remedy: 'Find out what did, and start it anew.',
          },
        ]
      : [],
  )

const checkContainer = (
  subject: Subject,
  layout: CgroupLayout,
  given: AuditedContainer | undefined,
): PromisedContainer | undefined => {
  const known = given === undefined ? findTareContainer(subject.pid) : { init: given.pid, promised: given.promised }
  if (known === undefined) return undefined
  const { init, promised } = known
  const promises = promised === undefined ? undefined : checkPromises(subject, layout, promised, init === subject.pid)
  return { init, promises }
}

const inOrder = (findings: readonly Finding[]): readonly Finding[] =>
  WALLS.flatMap((wall) => findings.filter((finding) => finding.wall === wall))

const auditOn = (pid: number, given: AuditedContainer | undefined, host: HostView, options: AuditOptions): Audit => {
  const { except = [] } = options
  using files = new ProcessFiles(pid)
  const subject = readSubject(files, host)
  const layout = readCgroupLayout()
  const container = checkContainer(subject, layout, given)
  const all = inOrder([...examine(subject, layout, options, given?.pid === pid), ...broken(container?.promises ?? [])])
  const findings = all.filter(({ wall }) => !except.includes(wall))
  files.checkAlive()
  return {
    pid,
    name: subject.status.name,
    command: subject.command,
    verdict: verdictOf(findings),
    findings,
    container,
  }
}

/**
 * Reads from the kernel what contains a process of this host, wall by wall, with a verdict. Any process will do, whoever
 * started it. It is looked at from outside: nothing is run in it, nor is it stopped unless `filter` asks for that, no file of
 * it is opened and no link of it followed. What can't be seen so is `unknown`, and never taken to hold.
 *
 * A container of Tare's is held against what it was promised, too. Of its own PID 1 the program beside it is looked at.
 *
 * @param target a process id; the name or id of a running container, whoever made it, or how the id begins; or a
 * container of this process.
 * @throws InputError for what is no process id, and a name that not just one container has; TareError where there is no such process, it ends meanwhile, or this
 * user may not look into it.
 *
 * @example
 * ```ts
 * const { verdict, findings } = audit(1234)
 * for (const { wall, found, remedy } of findings.filter(({ state }) => state === 'open')) console.log(wall, found, remedy)
 * ```
 */
export const audit = (target: number | string | AuditedContainer, options: AuditOptions = {}): Audit => {
  const given = typeof target === 'object' ? target : undefined
  const pid = typeof target === 'object' ? target.pid : typeof target === 'string' ? leaderOf(target) : target
  if (!Number.isInteger(pid) || pid < 1)
    throw new InputError({ operation: 'audit', target: String(pid), reason: 'it is no process id' })
  const host = readHostView()
  try {
    return auditOn(programOf(pid), given, host, options)
  } finally {
    trySyscall('close', host.root)
  }
}
