import { accessSync, constants, statSync } from 'node:fs'
import { join } from 'node:path'

/** Where programs are that an ordinary user's PATH may leave out. */
const MORE = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    // Whatever is wrong with it: it can't be executed.
    return false
  }
}

const directoriesOf = (path: string): readonly string[] => [
  ...path.split(':').filter((directory) => directory.startsWith('/')),
  ...MORE,
]

/** `PATH` with the directories of the system's own programs. */
export const fullPath = (path: string = process.env['PATH'] ?? ''): string =>
  [...new Set(directoriesOf(path))].join(':')

/** The first of these programs that this host has, with its path; undefined if it has none. */
export const findProgram = (
  names: readonly string[],
  path: string = process.env['PATH'] ?? '',
): { readonly name: string; readonly path: string } | undefined => {
  for (const name of names)
    for (const directory of directoriesOf(path)) {
      const found = join(directory, name)
      if (isExecutable(found)) return { name, path: found }
    }
  return undefined
}
