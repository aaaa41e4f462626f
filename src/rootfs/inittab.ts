import type { SystemTree } from './system-tree.ts'

/** A line of /etc/inittab: `id:runlevels:action:process` (inittab(5); for busybox the id is a terminal). */
export interface InittabEntry {
  readonly id: string
  readonly action: string
  readonly process: string
}

/** What its inittab has the init of a system do; nothing where there is none. */
export const inittabEntries = (tree: SystemTree): readonly InittabEntry[] =>
  (tree.read('/etc/inittab') ?? '').split('\n').flatMap((line) => {
    if (/^\s*(?:#|$)/.test(line)) return []
    const [id = '', , action = '', ...process] = line.split(':')
    return [{ id: id.trim(), action: action.trim(), process: process.join(':').trim() }]
  })
