import { readFileSync } from 'node:fs'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { Subject } from './subject.ts'

/** What a process's label says of it. */
export interface Label {
  readonly module: 'AppArmor' | 'SELinux' | 'Smack'
  readonly text: string
  /** Whether rules hold it. */
  readonly confined: boolean
}

/** Reads /proc/PID/attr/current: `docker-default (enforce)`, `system_u:system_r:container_t:s0:c1,c2`. */
export const parseLabel = (text: string): Label | undefined => {
  const label = text.replace(/[\0\n]+$/, '')
  if (label === '') return undefined
  const fields = label.split(':')
  if (fields.length >= 4) {
    const type = fields[2] ?? ''
    return { module: 'SELinux', text: label, confined: !/(?:^unconfined_t|^spc_t|^initrc_t|^kernel_t)$/.test(type) }
  }
  if (label === '_' || label === '*' || label === '^') return { module: 'Smack', text: label, confined: false }
  return { module: 'AppArmor', text: label, confined: /\((?:enforce|kill)\)$/.test(label) }
}

const activeModules = (): readonly string[] | undefined => {
  try {
    return readFileSync('/sys/kernel/security/lsm', 'ascii').trim().split(',')
  } catch {
    return undefined // securityfs isn't mounted, or not for this user
  }
}

/** Modules whose rules can wall a process in, that the process didn't ask for itself. */
const MANDATORY = ['apparmor', 'selinux', 'smack', 'tomoyo']

/** The label that a process has. */
export const readLabel = (subject: Subject): Label | undefined =>
  parseLabel(subject.files.readIfThere('attr/current') ?? '')

/** Whether a security module confines it. Landlock can't be seen from outside. */
export const auditModules = (label: Label | undefined): readonly Finding[] => {
  const findings = new Findings('modules')
  if (label?.confined === true) findings.holds('label', `${label.module}: ${label.text}`)
  else if (label !== undefined)
    findings.open('label', `${label.module} leaves it alone: ${label.text}`, {
      severity: 'note',
      why: 'Rules that hold whatever its capabilities would be a second wall.',
      remedy: 'docker: leave out --security-opt apparmor=unconfined or label=disable, and --privileged.',
    })
  else {
    const active = activeModules()?.filter((name) => MANDATORY.includes(name))
    if (active === undefined) findings.unknown('label', 'which security modules this host has may not be read')
    else
      findings.open(
        'label',
        active.length === 0
          ? 'this host has no AppArmor, SELinux or Smack switched on'
          : `no label of ${active.join(', ')}`,
        {
          severity: 'note',
          why: 'Rules that hold whatever its capabilities would be a second wall.',
          remedy: 'Boot with such a module in lsm=.',
        },
      )
  }
  findings.unknown('landlock', 'what Landlock forbids it: only the process itself knows')
  return findings.list
}
