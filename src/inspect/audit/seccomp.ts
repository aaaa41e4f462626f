import { mayIn, isHostUser } from './subject.ts'
import type { Subject } from './subject.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { FilterContent } from './filter-content.ts'

/** Why nobody asked what a filter refuses. */
export const NOT_ASKED = 'the kernel shows it only of a process that is stopped for it (--filter)'

const judgeContent = (findings: Findings, content: FilterContent | string): void => {
  if (typeof content === 'string') {
    findings.unknown('filter-content', `what the filter refuses: ${content}`)
    return
  }
  const { grave, minor, foreign, asked } = content
  const through = [...grave, ...minor]
  if (through.length > 0)
    findings.partial('filter-content', `the filter lets through ${through.join(', ')}`, {
      severity: grave.length > 0 ? 'weakness' : 'note',
      why: 'They open parts of the kernel in which faults were many, or take walls down for who has the capability.',
      remedy: 'tare run (the default) refuses all of them; docker: --security-opt seccomp=FILE.',
    })
  if (foreign.length > 0)
    findings.open('filter-architectures', `the filter lets more through by the calls of ${foreign.join(' and ')}`, {
      severity: 'weakness',
      why: 'A program of this machine can make the calls of its other architectures, and so get around the filter.',
      remedy: 'Name these architectures in the profile, or leave them to be refused.',
    })
  if (through.length === 0 && foreign.length === 0)
    findings.holds('filter-content', `the filter refuses all ${asked} dangerous calls that were looked for`)
}

/**
 * Whether there is a filter of system calls, and what it lets through.
 *
 * @param content what is known of that, or why nothing is.
 * @param isKeeper whether it is surely the PID 1 that this process has put into a container, and runs nothing else.
 */
export const auditSeccomp = (
  subject: Subject,
  content: FilterContent | string,
  { isKeeper }: { readonly isKeeper: boolean },
): readonly Finding[] => {
  const findings = new Findings('seccomp')
  const { seccomp, seccompFilters } = subject.status
  switch (seccomp) {
    case 'strict':
      findings.holds('strict', 'strict mode: read, write, exit and sigreturn are all it may call')
      break
    case 'filter':
      findings.holds('filter', `${seccompFilters ?? 'some'} filter${seccompFilters === 1 ? '' : 's'} of system calls`)
      judgeContent(findings, content)
      break
    case 'disabled':
      if (isKeeper) {
        findings.unknown('keeper', 'PID 1 of Tare has no filter: programs that come into the container get theirs')
        break
      }
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
