import { InputError } from '../../linux/error.ts'
import type { NamespaceKind } from '../../linux/namespace.ts'
import type { LinuxNamespace } from '../../oci/namespaces.ts'
import { namespaceKind } from '../../oci/namespaces.ts'

/** Which namespaces a container has that are not the caller's. */
export interface ContainerNamespaces {
  readonly made: ReadonlySet<NamespaceKind>
  /** Others' by the file that stands for each. */
  readonly joined: ReadonlyMap<NamespaceKind, string>
}

/** What `linux.namespaces` asks for. Throws {@link InputError} for what Tare can't contain anything with. */
export const namespacesOf = (namespaces: readonly LinuxNamespace[] = []): ContainerNamespaces => {
  const made = new Set<NamespaceKind>()
  const joined = new Map<NamespaceKind, string>()
  for (const { type, path } of namespaces) {
    if (path === undefined) made.add(namespaceKind(type))
    else joined.set(namespaceKind(type), path)
  }
  if (made.has('mnt') || joined.has('mnt')) return { made, joined }
  throw new InputError({
    operation: 'use config.json: linux.namespaces',
    reason: 'it has no mount namespace, without which its mounts would be the host’s',
    hint: 'Add {"type": "mount"}.',
  })
}

/**
 * Which of the others' namespaces Tare itself is in while it clones, and the container from its birth: for `pid` there
 * is no other way, and as root it has power over all of them. An ordinary user gets power over namespaces by joining
 * their user namespace first, which only a process of one thread can: then the stage joins them.
 */
const JOINED_BY_BIRTH: readonly NamespaceKind[] = ['pid', 'net', 'ipc', 'uts', 'cgroup']

/** The namespaces that a container is born in, which are not the caller's. */
export const joinedByBirth = (
  { joined }: ContainerNamespaces,
  uid: number,
): readonly (readonly [NamespaceKind, string])[] =>
  [...joined].filter(([kind]) => kind === 'pid' || (uid === 0 && JOINED_BY_BIRTH.includes(kind)))
