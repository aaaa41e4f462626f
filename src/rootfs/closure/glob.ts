import { InputError } from '../../linux/error.ts'
import { readNames } from './read.ts'
import type { Tree } from './tree.ts'

const SPECIAL = /[*?[]/

/** Whether a path is a pattern as a shell has it (glob(7)). */
export const isGlob = (path: string): boolean => SPECIAL.test(path)

const escaped = (text: string): string => text.replace(/[.*?+^${}()|[\]\\/]/g, String.raw`\$&`)

const setSource = (set: string): string =>
  `[${set
    .replace(/^!/, '^')
    .replaceAll('\\', '\\\\')
    .replaceAll('[', String.raw`\[`)}]`

/** The regular expression of one name of a pattern: no `*`, `?` or `[` matches a dot at its beginning. */
const namePattern = (pattern: string): RegExp => {
  let source = /^[*?[]/.test(pattern) ? String.raw`(?!\.)` : ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] ?? ''
    const close = character === '[' ? pattern.indexOf(']', at + 2) : -1
    if (character === '*') source += '[^/]*'
    else if (character === '?') source += '[^/]'
    else if (close > 0) {
      source += setSource(pattern.slice(at + 1, close))
      at = close
    } else if (character === '\\' && at + 1 < pattern.length) source += escaped(pattern[++at] ?? '')
    else source += escaped(character)
  }
  try {
    return new RegExp(`^${source}$`, 'u')
  } catch {
    const reason = 'a set in it makes no sense'
    throw new InputError({ operation: 'use the pattern', target: pattern, reason, hint: 'See glob(7).' })
  }
}

/**
 * The paths of a tree that an absolute pattern matches, sorted: `*`, `?` and `[…]` in names, and `**` for any
 * directories in between (glob(7)).
 */
export const matchGlob = (tree: Tree, pattern: string): readonly string[] => {
  const names = pattern.split('/').filter((name) => name !== '')
  const matches = new Set<string>()
  const visit = (directory: string, index: number): void => {
    const name = names[index]
    const found = tree.find(directory === '' ? '/' : directory, { follow: name !== undefined })
    if (found === undefined) return
    if (name === undefined) return void matches.add(directory === '' ? '/' : directory)
    if (!found.stats.isDirectory()) return
    if (!isGlob(name)) return visit(`${directory}/${name}`, index + 1)
    if (name === '**') {
      visit(directory, index + 1)
      for (const each of readNames(found.source)) {
        const below = `${directory}/${each}`
        if (!each.startsWith('.') && tree.find(below, { follow: false })?.stats.isDirectory() === true)
          visit(below, index)
      }
      return
    }
    const wanted = namePattern(name)
    for (const each of readNames(found.source)) if (wanted.test(each)) visit(`${directory}/${each}`, index + 1)
  }
  visit('', 0)
  return [...matches].toSorted()
}

/** Whether an absolute path, or a directory that it lies in, is what the pattern says. */
export const matchesPath = (pattern: string, path: string): boolean => {
  const wanted = pattern.split('/').filter((name) => name !== '')
  const names = path.split('/').filter((name) => name !== '')
  const match = (at: number, from: number): boolean => {
    const name = wanted[at]
    if (name === undefined) return true
    if (name === '**') return names.slice(from).some((_, skipped) => match(at + 1, from + skipped))
    const actual = names[from]
    return actual !== undefined && namePattern(name).test(actual) && match(at + 1, from + 1)
  }
  return match(0, 0)
}
