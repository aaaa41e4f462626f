import type { CgroupDirectory } from './apply.ts'
import { Cgroup } from './cgroup.ts'
import { childGroups, isDirectory } from './file.ts'
import { groupHierarchies } from './group-name.ts'
import type { CgroupLayout } from './layout.ts'

const walk = (place: CgroupDirectory, path: string, found: Map<string, CgroupDirectory[]>): void => {
  const known = found.get(path)
  if (known === undefined) found.set(path, [place])
  else known.push(place)
  for (const child of childGroups(place.directory)) {
    const name = child.slice(child.lastIndexOf('/') + 1)
    walk({ hierarchy: place.hierarchy, directory: child }, path === '' ? name : `${path}/${name}`, found)
  }
}

/** Names part by part, so that a group stands before its children and `a/b` before `a-b`. */
const byPath = (a: string, b: string): number => {
  const [left, right] = [a.split('/'), b.split('/')]
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const [one, other] = [left[index], right[index]]
    if (one === other) continue
    if (one === undefined) return -1
    if (other === undefined) return 1
    return one < other ? -1 : 1
  }
  return 0
}

/**
 * A group and all below it, each before its children: groups that have the same path in several hierarchies of version 1
 * are one. `below` is a path as in {@link Cgroup.name}; by default all groups. Those that go meanwhile are left out.
 */
export const cgroupTree = (layout: CgroupLayout, below = '/'): readonly Cgroup[] => {
  const found = new Map<string, CgroupDirectory[]>()
  const start = below.replace(/^\/+|\/+$/g, '')
  for (const hierarchy of groupHierarchies(layout)) {
    const directory = start === '' ? hierarchy.mountPoint : `${hierarchy.mountPoint}/${start}`
    if (isDirectory(directory)) walk({ hierarchy, directory }, start, found)
  }
  return [...found].toSorted(([a], [b]) => byPath(a, b)).map(([, directories]) => new Cgroup(layout, directories))
}
