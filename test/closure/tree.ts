// A root of made files in a temporary directory, for tests.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'
import type { ElfParts } from './make-elf.ts'
import { makeElf } from './make-elf.ts'

/** What is at a path: bytes, a link (`-> target`), or an ELF file of such parts. */
export type Made = string | Uint8Array | ElfParts

const place = (root: string, path: string, made: Made): void => {
  const target = join(root, path)
  mkdirSync(dirname(target), { recursive: true })
  if (typeof made === 'string' && made.startsWith('-> ')) return symlinkSync(made.slice(3), target)
  writeFileSync(target, typeof made === 'string' || made instanceof Uint8Array ? made : makeElf(made))
  chmodSync(target, 0o755)
}

/** Makes the files, and removes them when the test file has ended; the directory. */
export const makeTree = (files: Readonly<Record<string, Made>>): string => {
  const root = mkdtempSync(join(tmpdir(), 'tare-closure-'))
  after(() => rmSync(root, { recursive: true, force: true }))
  for (const [path, made] of Object.entries(files)) place(root, path, made)
  return root
}
