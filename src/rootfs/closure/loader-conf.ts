import { matchGlob } from './glob.ts'
import { readTreeText } from './read.ts'
import type { Tree } from './tree.ts'

/** What a file of ldconfig's says, line by line: a directory, or other files to read (ldconfig(8)). */
export type ConfLine =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'include'; readonly pattern: string }

const MOST_FILES = 256

/** Reads the text of /etc/ld.so.conf. What ldconfig ignores is left out. */
export const parseLoaderConf = (text: string): readonly ConfLine[] =>
  text.split('\n').flatMap((line): readonly ConfLine[] => {
    const words = line.replace(/#.*/, '').trim()
    const [first = '', ...rest] = words.split(/\s+/)
    if (first === 'include') return rest.map((pattern) => ({ kind: 'include', pattern }))
    if (first === '' || first === 'hwcap') return []
    // `directory=type` is of old, and commas and colons part as spaces do.
    return words
      .split(/[\s,:]+/)
      .map((word) => word.replace(/=.*/, ''))
      .filter((word) => word.startsWith('/'))
      .map((path) => ({ kind: 'directory', path }))
  })

/** The directories that /etc/ld.so.conf names, with the files that it includes. ldconfig reads it; the loader doesn't. */
export const loaderConfDirectories = (tree: Tree): readonly string[] => {
  const directories: string[] = []
  const seen = new Set<string>()
  const read = (path: string): void => {
    if (seen.has(path) || seen.size === MOST_FILES) return
    seen.add(path)
    for (const line of parseLoaderConf(readTreeText(tree, path) ?? '')) {
      if (line.kind === 'directory') directories.push(line.path)
      else {
        const pattern = line.pattern.startsWith('/')
          ? line.pattern
          : `${path.slice(0, path.lastIndexOf('/') + 1)}${line.pattern}`
        for (const file of matchGlob(tree, pattern)) read(file)
      }
    }
  }
  read('/etc/ld.so.conf')
  return directories
}
