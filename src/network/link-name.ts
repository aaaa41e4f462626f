/** The most that a link's name may have (IFNAMSIZ, without the NUL). */
const LONGEST = 15

/** What a container's link, and its table of rules, are called on the host: by a number and by whose they are. */
export const linkName = (slot: number, hostname: string): string =>
  `tare${slot}-${hostname.replace(/[^A-Za-z0-9_-]/g, '-')}`.slice(0, LONGEST).replace(/-+$/, '')

/** The table of a link that translates addresses. */
export const translationTable = (name: string): string => `${name}.nat`

/**
 * The number in the name of a link, or of its table of walls; undefined for what isn't Tare's, and for a table that
 * translates: it goes by itself.
 */
export const slotOf = (name: string): number | undefined => {
  const digits = /^tare([1-9]\d{0,7})(?:-[\w-]*)?$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
