import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { IN_DELETE, IN_MODIFY, Inotify } from '../inotify.ts'
import type { CgroupDirectory } from './apply.ts'
import type { CgroupEventBody, EventSource } from './event.ts'
import { readIfThere } from './file.ts'
import { parseFlatKeyed } from './parse.ts'

type Counters = ReadonlyMap<string, number>

/** What the second reading of an events file says that the first one didn't. */
const compareEvents = (file: string, before: Counters, now: Counters): readonly CgroupEventBody[] =>
  [...now].flatMap(([counter, total]): readonly CgroupEventBody[] => {
    const count = total - (before.get(counter) ?? 0)
    if (file === 'cgroup.events') {
      if (count === 0) return []
      if (counter === 'populated') return [{ kind: 'populated', populated: total === 1 }]
      return counter === 'frozen' ? [{ kind: 'frozen', frozen: total === 1 }] : []
    }
    return count > 0 ? [{ kind: 'counter', file, counter, count, total }] : []
  })

/** `memory.events` and the like. The `.local` ones say the same of the group without those below it. */
const eventFiles = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.events'))
    .toSorted()

/**
 * The files of version 2 that count events, each of which the kernel says has changed (kernfs_notify), as inotify(7)
 * tells; and the removal of the group, which the directory above tells.
 */
export const eventFileSource = (directories: readonly CgroupDirectory[], main: string): EventSource => {
  const inotify = new Inotify()
  const files = new Map<number, { readonly path: string; readonly name: string; counters: Counters }>()
  const read = (path: string): Counters => parseFlatKeyed(readIfThere(path) ?? '')
  try {
    for (const { hierarchy, directory } of directories) {
      if (hierarchy.version === 1) continue
      for (const name of eventFiles(directory)) {
        const path = `${directory}/${name}`
        // First watched, then read: nothing is missed between the two.
        const watch = inotify.watch(path, IN_MODIFY)
        files.set(watch, { path, name, counters: read(path) })
      }
    }
    const above = inotify.watch(dirname(main), IN_DELETE)
    const own = main.slice(main.lastIndexOf('/') + 1)
    const take = (): readonly CgroupEventBody[] => {
      const events = inotify.read()
      const changed = new Set(events.map(({ watch }) => watch))
      const found = [...changed].flatMap((watch) => {
        const file = files.get(watch)
        if (file === undefined) return []
        const now = read(file.path)
        const news = compareEvents(file.name, file.counters, now)
        if (now.size > 0) file.counters = now
        return news
      })
      const removed = events.some(
        ({ watch, mask, name }) => watch === above && (mask & IN_DELETE) !== 0 && name === own,
      )
      return removed ? [...found, { kind: 'removed' }] : found
    }
    return { fds: [inotify.fd], take, close: () => inotify.close() }
  } catch (error) {
    inotify.close()
    throw error
  }
}
