import type { IdMapping } from '../../linux/idmap.ts'
import type { Finding } from './finding.ts'
import { Findings } from './finding.ts'
import type { Subject } from './subject.ts'
import { describeUser, isHostUser, isSomeones } from './subject.ts'

/** loginuid of what was not started by somebody who logged in. */
const NOBODY_LOGGED_IN = 0xffffffff

const OWN_RANGE = 'tare run (as root, the default); podman: --userns=auto; docker: userns-remap.'

/** `0 to 65535 of it are 524288 to 589823 of the host`. */
const describeMap = ({ inside, outside, size }: IdMapping): string =>
  size === 1
    ? `${inside} in it is ${outside} on the host`
    : `${inside} to ${inside + size - 1} in it are ${outside} to ${outside + size - 1} on the host`

const covers = ({ outside, size }: IdMapping, id: number): boolean => id >= outside && id < outside + size

const someonesIn = ({ host, uids }: Subject): readonly number[] =>
  [...host.users.keys()].filter((uid) => isSomeones(host, uid) && uids.some((mapping) => covers(mapping, uid)))

/** Groups whose members are as good as root, where they are what their name says (debian's base-passwd). */
const POWERFUL_GROUPS: Readonly<Record<string, string>> = {
  root: "files of the host's group root",
  disk: 'the disks of the host',
  kmem: 'the memory of the kernel',
  docker: "docker's socket, which starts containers of any power",
  lxd: 'the socket of LXD, which does',
  'incus-admin': 'the socket of Incus, which does',
  shadow: 'the password hashes of the host',
  adm: 'the logs of the host',
}

const auditGroups = (subject: Subject, findings: Findings): void => {
  const { host, status } = subject
  const held = [...new Set([status.gid.filesystem, ...status.groups])]
  const powerful = held.flatMap((gid) => {
    const name = host.groups.get(gid)
    const what = name === undefined || gid === status.uid.effective ? undefined : POWERFUL_GROUPS[name]
    return what === undefined ? [] : [{ name, gid, what }]
  })
  if (powerful.length === 0) return
  findings.partial(
    'host-groups',
    `in groups of the host: ${powerful.map(({ name, gid }) => `${gid} (${name})`).join(', ')}`,
    {
      severity: 'note',
      why: `These groups open ${powerful.map(({ what }) => what).join(', ')}, if a mount brings that within reach.`,
      remedy: 'tare run --user=UID:GID; docker: --user, without --group-add.',
    },
  )
}

/** The id by which the kernel's audit log knows who logged in (pam_loginuid(8)); it stays whatever a process becomes. */
const auditLogin = ({ files, host }: Subject, findings: Findings): void => {
  const uid = Number(files.readIfThere('loginuid') ?? NOBODY_LOGGED_IN)
  if (uid !== NOBODY_LOGGED_IN) findings.holds('login', `what it does is logged as that of ${describeUser(host, uid)}`)
}

const auditMap = (subject: Subject, findings: Findings): void => {
  const { host, uids, owner } = subject
  const shown = uids.slice(0, 3).map(describeMap).join('; ') + (uids.length > 3 ? '; …' : '')
  if (uids.length === 0) {
    findings.holds('unmapped', 'no id of the host is mapped: it owns nothing there')
    return
  }
  if (uids.some((mapping) => covers(mapping, 0))) {
    findings.open('root-mapped', `root of the host is mapped: ${shown}`, {
      severity: 'weakness',
      why: "A process in it can be the host's root where files are concerned: what of the host is in sight is its own.",
      remedy: `Map a range that is nobody's: ${OWN_RANGE}`,
    })
    return
  }
  const [someones] = someonesIn(subject)
  if (someones !== undefined) {
    findings.partial('user-mapped', `${describeUser(host, someones)} of the host is mapped: ${shown}`, {
      severity: 'note',
      why: `To files and processes of the host it is that user: ${owner === someones ? 'the one who started it' : 'one of the host'}.`,
      remedy: `Nothing, if that user has no more to lose than what it contains. ${OWN_RANGE}`,
    })
    return
  }
  findings.holds('range', shown)
}

/** What its user ids are on the host. */
export const auditIds = (subject: Subject): readonly Finding[] => {
  const findings = new Findings('ids')
  const { host, status, owner } = subject
  const uid = status.uid.effective
  if (isHostUser(subject)) {
    if (uid === 0)
      findings.open('root', 'it runs as root of the host, 0', {
        severity: 'weakness',
        why: 'Every file, socket and key of the host that comes within its reach obeys it.',
        remedy: `Run it as another user (--user), or give it ids of its own: ${OWN_RANGE}`,
      })
    else if (isSomeones(host, uid))
      findings.partial('host-user', `it runs as a user of the host, ${describeUser(host, uid)}`, {
        severity: 'note',
        why: 'What that user has on the host is its own as far as it is in sight.',
        remedy: OWN_RANGE,
      })
    else findings.holds('no-user', `it runs as ${uid}, which is nobody's on the host`)
  } else {
    auditMap(subject, findings)
    const outside = describeUser(host, uid)
    if (isSomeones(host, uid) && uid !== owner && uid !== 0)
      findings.partial('host-user', `on the host it is ${outside}`, {
        severity: 'note',
        why: 'What that user has on the host is its own as far as it is in sight.',
        remedy: OWN_RANGE,
      })
    else findings.holds('outside', `on the host it is ${outside}`)
    if (owner !== undefined) findings.holds('owner', `its user namespace was made by ${describeUser(host, owner)}`)
  }
  auditGroups(subject, findings)
  auditLogin(subject, findings)
  return findings.list
}
