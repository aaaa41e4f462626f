import type { CopyMethod } from '../index.ts'

const WORDS: Readonly<Record<CopyMethod, string>> = {
  subvolume: 'as a snapshot of its subvolume',
  reflink: 'with shared blocks',
  copy: 'as a copy',
}

/** How a copy came to be, for people: `with shared blocks`. */
export const copyMethodText = (method: CopyMethod): string => WORDS[method]
