import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { Subject } from './subject.ts'
import { isHostUser } from './subject.ts'

const NO_NEW_PRIVS = 'tare run (the default); docker: --security-opt no-new-privileges.'

/** Whether a program that it executes can have more power than it has. */
export const auditPrivileges = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('privileges')
  const { status, capabilities } = subject
  if (status.noNewPrivs)
    findings.holds('no-new-privs', 'no_new_privs is set: set-user-id bits and file capabilities do nothing')
  else {
    const regained = capabilities.bounding & ~capabilities.permitted
    const nosuid = subject.mounts.every(({ options }) => options.includes('nosuid'))
    const root = status.uid.effective === 0
    if (nosuid) findings.holds('nosuid', 'no_new_privs is not set, but all mounts are nosuid')
    else if (!isHostUser(subject))
      findings.partial(
        'new-privs',
        'no_new_privs is not set; set-user-id programs give the ids of its own user namespace',
        {
          severity: 'note',
          why: 'A program that is set-user-id in it makes any user in it its root, with the capabilities of the bounding set there.',
          remedy: NO_NEW_PRIVS,
        },
      )
    else
      findings.open('new-privs', 'no_new_privs is not set, and mounts let set-user-id programs work', {
        severity: root && regained === 0n ? 'note' : 'weakness',
        why: "A set-user-id or capable program in sight makes any of its users the host's root, with all of the bounding set.",
        remedy: `${NO_NEW_PRIVS} Or mount with nosuid.`,
      })
  }
  if (status.tracerPid !== 0)
    findings.partial('traced', `process ${status.tracerPid} traces it`, {
      severity: 'note',
      why: 'Whoever traces it decides what it does, also against these walls.',
      remedy: 'See whether that is meant.',
    })
  auditAmbient(subject, findings)
  findings.unknown('keyring', 'whose keys its session keyring has: only the process itself can ask (keyctl(2))')
  findings.unknown('parent-death', 'whether it ends with what started it: the kernel tells nobody (PR_SET_PDEATHSIG)')
  return findings.list
}

const auditAmbient = ({ capabilities, status }: Subject, findings: Findings): void => {
  if (capabilities.ambient === 0n || status.uid.effective === 0) return
  findings.partial('ambient', 'it has ambient capabilities: every program that it starts has them too', {
    severity: 'note',
    why: 'They stay with a user that is not root, over any exec.',
    remedy: 'tare cap run --ambient= …; docker gives none.',
  })
}
