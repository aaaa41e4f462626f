import { stripVTControlCharacters } from 'node:util'

/** Blocks that terminals draw two cells wide (Unicode's East_Asian_Width W and F), without the emoji. */
const WIDE: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x17000, 0x18cff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
]

/** One cell for each character: ASCII, the letters of the West, an ellipsis, arrows and what tables are drawn with. */
export const isPlain = (text: string): boolean =>
  /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u2026\u2190-\u21ff\u2500-\u257f]*$/.test(text)

const clusterWidth = (cluster: string): number => {
  if (/^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u.test(cluster)) return 0
  if (/\p{Emoji_Presentation}|\u{fe0f}/u.test(cluster)) return 2
  const point = cluster.codePointAt(0) ?? 0
  return WIDE.some(([first, last]) => point >= first && point <= last) ? 2 : 1
}

/** How many cells of a terminal a text takes. Escape sequences take none. */
export const displayWidth = (text: string): number => {
  if (isPlain(text)) return text.length
  let width = 0
  for (const { segment } of new Intl.Segmenter().segment(stripVTControlCharacters(text))) width += clusterWidth(segment)
  return width
}

/** A text made longer by spaces, to so many cells. */
export const padTo = (text: string, width: number, align: 'left' | 'right' = 'left'): string => {
  const spaces = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + spaces : spaces + text
}

/** A text cut to so many cells, with an ellipsis at the end if something is missing. It must hold no escape sequences. */
export const cutTo = (text: string, width: number): string => {
  if (displayWidth(text) <= width) return text
  let cut = ''
  let taken = 1
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    taken += clusterWidth(segment)
    if (taken > width) break
    cut += segment
  }
  return width < 1 ? '' : `${cut}…`
}

/**
 * A text with its control characters made visible (`\x1b`), so that a name which someone else chose can't drive the
 * terminal it is printed on.
 */
export const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  )

/** The lines of one paragraph, none wider than so many cells unless a single word is. */
const fill = (paragraph: string, width: number): readonly string[] => {
  const lines: string[] = []
  let line = ''
  for (const word of paragraph.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return line === '' ? lines : [...lines, line]
}

/** Wraps paragraphs (separated by an empty line) to a width in cells, each line indented by so many spaces. */
export const wrap = (text: string, width: number, indent = 0): string =>
  text
    .split(/\n\s*\n/)
    .map((paragraph) => fill(paragraph, Math.max(1, width - indent)))
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((line) => ' '.repeat(indent) + line).join('\n'))
    .join('\n\n')
