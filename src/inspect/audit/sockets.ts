import { readFileSync } from 'node:fs'
import { S_IFMT, S_IFSOCK, knownFileStatus } from '../../linux/file-status.ts'
import type { UnixSocket } from '../../linux/unix-sockets.ts'
import { parseUnixSockets } from '../../linux/unix-sockets.ts'
import type { Finding, Severity } from './finding.ts'
import { Findings } from './finding.ts'
import type { HostPath } from './host-paths.ts'
import { mayWrite } from './permission.ts'
import { isBelow, isOutOfReach, lookAt } from './reach.ts'
import type { Subject } from './subject.ts'
import { isShared } from './subject.ts'

/** Services by the path of their socket, and what whoever reaches it has. */
const SERVICES: readonly (readonly [path: RegExp, severity: Severity, what: string])[] = [
  [/\/(?:docker|podman|containerd|cri-dockerd|buildkitd|crio)\.sock(?:\.\w+)?$|\/crio\/crio\.sock$/, 'escape', 'an engine that starts containers of any power'],
  [/\/(?:lxd|incus)\/unix\.socket$/, 'escape', 'an engine that starts containers of any power'],
  [/\/libvirt\/[\w-]*sock$/, 'escape', 'a service that starts machines with any disk of the host'],
  [/\/systemd\/private$/, 'escape', 'the manager of the system'],
  [/\/snapd\.socket$/, 'weakness', 'a service that installs programs'],
  [/\/dbus\/system_bus_socket$/, 'weakness', 'the system bus, with all services on it'],
  [/\/user\/\d+\/bus$/, 'escape', "the user's bus, on which programs are started"],
  [/\/(?:ssh-[^/]+\/agent|gnupg\/S\.|keyring\/)/, 'weakness', 'an agent that has keys'],
  [/\/\.X11-unix\/X\d+$|\/wayland-\d+$/, 'weakness', 'the screen and keyboard of a user'],
] // prettier-ignore

const REMEDY = 'Leave out the mount that shows it, or mount the one directory that is needed.'

/** What `/var/run` has been since it became a link to `/run`. */
const canonical = (path: string): string => path.replace(/^\/var\/run\//, '/run/')

const readHostSockets = (reference: 1 | 'self'): readonly UnixSocket[] | undefined => {
  try {
    return parseUnixSockets(readFileSync(`/proc/${reference}/net/unix`, 'utf8'))
  } catch {
    return undefined // a kernel without Unix sockets, or a /proc that shows none
  }
}

/** Where the process sees a path of the host; undefined if nowhere. */
const seenAt = (path: string, paths: readonly HostPath[]): string | undefined => {
  const [nearest] = paths
    .filter((each) => isBelow(path, canonical(each.path)))
    .toSorted((a, b) => b.path.length - a.path.length)
  if (nearest === undefined) return undefined
  const rest = nearest.path === '/' ? path : path.slice(canonical(nearest.path).length)
  return `${nearest.mount.mountPoint.replace(/\/$/, '')}${rest}`
}

const isOpenSocket = (subject: Subject, place: string): boolean =>
  lookAt(subject, place, (fd) => {
    const status = knownFileStatus(fd)
    return (status.mode & S_IFMT) === S_IFSOCK && mayWrite(subject, status)
  }) === true

const SHOWN = 5

const listed = (names: readonly string[]): string =>
  names.slice(0, SHOWN).join(', ') + (names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '')

const auditPaths = (
  subject: Subject,
  paths: readonly HostPath[],
  sockets: readonly UnixSocket[],
  findings: Findings,
): void => {
  // A socket mounted by itself is looked at even if nobody is known to listen on it.
  const mounted = paths.map(({ path }) => canonical(path))
  const bound = sockets
    .filter(({ abstract, name }) => !abstract && name.startsWith('/'))
    .map(({ name }) => canonical(name))
  const others: string[] = []
  const unseen: string[] = []
  for (const path of new Set([...bound, ...mounted])) {
    const place = seenAt(path, paths)
    if (place !== undefined && isOutOfReach(subject, place)) unseen.push(place)
    if (place === undefined || !isOpenSocket(subject, place)) continue
    const shown = place === path ? path : `${path} as ${place}`
    const [, severity, what] = SERVICES.find(([pattern]) => pattern.test(path)) ?? []
    if (severity === undefined) others.push(shown)
    else findings.open('service', shown, { severity, why: `Behind it is ${what}.`, remedy: REMEDY })
  }
  if (unseen.length > 0) findings.unknown('out-of-reach', `whether it may use ${listed(unseen)}`)
  if (others.length > 0)
    findings.partial('paths', listed(others), {
      severity: 'weakness',
      why: 'Services of the host answer there, with the powers that they have.',
      remedy: REMEDY,
    })
}

const auditAbstract = (subject: Subject, sockets: readonly UnixSocket[], findings: Findings): void => {
  if (!isShared(subject, 'net')) {
    findings.holds('abstract', 'abstract sockets of the host are in another network namespace')
    return
  }
  const names = [...new Set(sockets.filter(({ abstract }) => abstract).map(({ name }) => name))]
  if (names.length === 0) {
    findings.partial('abstract', 'the network is shared, but nothing of the host has an abstract socket now', {
      severity: 'note',
      why: 'Whatever is started on the host may come to have one.',
      remedy: 'tare run --network=none (the default); docker: leave out --network=host.',
    })
    return
  }
  const shim = names.some((name) => name.includes('containerd-shim'))
  findings.open('abstract', `abstract sockets of the host: ${listed(names.map((name) => `@${name}`))}`, {
    severity: shim && subject.status.uid.effective === 0 ? 'escape' : 'weakness',
    why: shim
      ? 'A containerd-shim takes orders there from root, whatever its container (CVE-2020-15257).'
      : 'No permission of a file stands before them.',
    remedy: 'tare run --network=none (the default); docker: leave out --network=host.',
  })
}

/** Which services of the host it can talk to through Unix sockets. */
export const auditSockets = (subject: Subject, paths: readonly HostPath[]): readonly Finding[] => {
  const findings = new Findings('sockets')
  const sockets = readHostSockets(subject.host.reference)
  if (sockets === undefined) findings.unknown('sockets', "the host's sockets can't be listed")
  else {
    auditPaths(subject, paths, sockets, findings)
    auditAbstract(subject, sockets, findings)
    if (findings.list.every(({ id }) => id === 'abstract'))
      findings.holds('paths', 'no socket of the host is in sight that it may use')
  }
  return findings.list
}
