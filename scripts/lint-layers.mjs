// Two rules of the house that no ready-made lint rule states, as a plugin for oxlint (.oxlintrc.json names it).
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const src = join(dirname(fileURLToPath(import.meta.url)), '..', 'src')

/** Lowest first. Folders of one line may import each other, as long as no cycle comes of it. */
const LAYERS = [
  ['linux'],
  ['plan'],
  ['oci'],
  ['runtime'],
  ['rootfs', 'image', 'network'],
  ['engine', 'inspect'],
  ['index.ts'],
  ['cli'],
]

/** All that the command line may reach of what is below it: the two faces of the package. */
const FACES = ['index.ts', join('linux', 'index.ts')]

const ORDER = LAYERS.map((layer) => layer.join(', ')).join(' < ')

/** `linux/seccomp/bpf.ts` for a file in src/, undefined for one elsewhere. */
const inSrc = (file) => {
  const path = relative(src, file)
  return path.startsWith('..') ? undefined : path
}

const folderOf = (path) => path.split(sep, 1)[0] ?? path

const levelOf = (path) => LAYERS.findIndex((layer) => layer.includes(folderOf(path)))

/** Calls `visit(specifier, node)` for whatever names another module: import, export from, import(), import type. */
const eachModule = (visit) => {
  const source = (node) => {
    const value = node.source?.value
    if (typeof value === 'string') visit(value, node)
  }
  return {
    ImportDeclaration: source,
    ExportNamedDeclaration: source,
    ExportAllDeclaration: source,
    ImportExpression: source,
    TSImportType: source,
  }
}

/** What is wrong with `from` (both below src/) importing `to`; undefined if nothing is. */
export const violation = (from, to) => {
  const [here, there] = [levelOf(from), levelOf(to)]
  if (here < 0) return `src/${folderOf(from)} has no place in the order of folders: ${ORDER}`
  if (there < 0) return `src/${folderOf(to)} has no place in the order of folders: ${ORDER}`
  if (folderOf(from) === folderOf(to)) return undefined
  if (folderOf(from) === 'cli' && !FACES.includes(to)) {
    return `The command line uses only what the package exports: import from src/index.ts or src/linux/index.ts, not src/${to}`
  }
  if (there > here) return `src/${folderOf(from)} must not import src/${folderOf(to)}: imports only go down ${ORDER}`
  return undefined
}

const layers = {
  create: (context) =>
    eachModule((specifier, node) => {
      const from = inSrc(context.filename)
      if (from === undefined || !specifier.startsWith('.')) return
      const to = inSrc(resolve(dirname(context.filename), specifier))
      const message = to === undefined ? 'src/ must not import from outside src/' : violation(from, to)
      if (message !== undefined) context.report({ node, message })
    }),
}

const noHelperPrograms = {
  create: (context) =>
    eachModule((specifier, node) => {
      if (!/^(node:)?child_process$/.test(specifier)) return
      const message = 'No helper programs: make the system calls, or start a process through the stage'
      context.report({ node, message })
    }),
}

export default {
  meta: { name: 'tare' },
  rules: { layers, 'no-helper-programs': noHelperPrograms },
}
