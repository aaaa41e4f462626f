import { mayIn, isHostUser } from './subject.ts'
import type { Subject } from './subject.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'

/** Whether there is a filter of system calls. What it lets through the kernel shows only of a process that is stopped. */
export const auditSeccomp = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('seccomp')
  const { seccomp, seccompFilters } = subject.status
  switch (seccomp) {
    case 'strict':
      findings.holds('strict', 'strict mode: read, write, exit and sigreturn are all it may call')
      break
    case 'filter':
      findings.holds('filter', `${seccompFilters ?? 'some'} filter${seccompFilters === 1 ? '' : 's'} of system calls`)
      findings.unknown(
        'filter-content',
        'what the filter refuses: the kernel shows it only of a process that is stopped for it',
      )
      break
    case 'disabled':
      findings.open('no-filter', 'no filter: all system calls may be made', {
        severity: 'weakness',
        why: isHostUser(subject)
          ? 'All of the kernel is open to attack, new user namespaces with capabilities of their own included.'
          : `All of the kernel is open to attack${mayIn(subject, 'net', 'CAP_NET_ADMIN') ? ', its packet filter included' : ''}.`,
        remedy: 'tare run (the default); docker: leave out --security-opt seccomp=unconfined and --privileged.',
      })
      break
    case undefined:
      findings.unknown('no-seccomp', 'this kernel tells of no filters')
  }
  return findings.list
}
