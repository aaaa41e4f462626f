import { readCgroupLayout } from '../../linux/cgroup/layout.ts'
import { InputError } from '../../linux/error.ts'
import { trySyscall } from '../../linux/syscall.ts'
import { auditCapabilities } from './capabilities.ts'
import { auditDescriptors } from './descriptors.ts'
import { readDeviceRules } from './device-rules.ts'
import { auditDevices } from './devices.ts'
import { auditFiles, isWritable, kindOf } from './files.ts'
import type { Finding, Verdict, Wall } from './finding.ts'
import { verdictOf } from './finding.ts'
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
import { auditRoot } from './root.ts'
import { auditSeccomp } from './seccomp.ts'
import { auditSockets } from './sockets.ts'
import type { Subject } from './subject.ts'
import { readSubject } from './subject.ts'
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
}

const examine = (subject: Subject): readonly Finding[] => {
  const layout = readCgroupLayout()
  const paths = hostPaths(subject.mounts, subject.host.mounts)
  const rules = readDeviceRules(subject, layout)
  const label = readLabel(subject)
  const situation = {
    hostFiles: paths.some((path) => kindOf(path.path) !== 'engine' && isWritable(subject, path)),
    hostFilesystem: paths.length > 0,
    allDevices: rules.kind === 'unknown' || rules.kind === 'program' ? undefined : rules.kind === 'all',
    confined: label?.confined === true,
  }
  return [
    ...auditNamespaces(subject),
    ...auditIds(subject),
    ...auditCapabilities(subject, situation),
    ...auditPrivileges(subject),
    ...auditSeccomp(subject),
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
}

const auditOn = (pid: number, host: HostView, { except = [] }: AuditOptions): Audit => {
  using files = new ProcessFiles(pid)
  let root = -1
  try {
    const subject = readSubject(files, host)
    root = subject.root
    const findings = examine(subject).filter(({ wall }) => !except.includes(wall))
    files.checkAlive()
    return { pid, name: subject.status.name, command: subject.command, verdict: verdictOf(findings), findings }
  } finally {
    if (root >= 0) trySyscall('close', root)
  }
}

/**
 * Reads from the kernel what contains a process of this host, wall by wall, with a verdict. Any process will do, whoever
 * started it. It is looked at from outside: nothing is run in it or stopped, no file of it is opened and no link of it
 * followed. What can't be seen so is `unknown`, and never taken to hold.
 *
 * @throws InputError for what is no process id; TareError where there is no such process, it ends meanwhile, or this
 * user may not look into it.
 */
export const audit = (pid: number, options: AuditOptions = {}): Audit => {
  if (!Number.isInteger(pid) || pid < 1)
    throw new InputError({ operation: 'audit', target: String(pid), reason: 'it is no process id' })
  const host = readHostView()
  try {
    return auditOn(pid, host, options)
  } finally {
    trySyscall('close', host.root)
  }
}
