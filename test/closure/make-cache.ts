// The file that ldconfig(8) writes, for tests.

export interface CacheLine {
  readonly soname: string
  readonly path: string
  readonly variant: string | undefined
}

export interface CacheForm {
  readonly bigEndian: boolean
  /** Whether an empty one of the older format stands before it. */
  readonly behindOld: boolean
}

const HEADER = 48
const ENTRY = 24
const EXTENSION = 0x40000000

export const makeCache = (lines: readonly CacheLine[], { bigEndian, behindOld }: CacheForm): Buffer => {
  const bytes = Buffer.alloc(16 << 10)
  const int = (at: number, value: number): void =>
    void (bigEndian ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at))
  bytes.write('glibc-ld.so.cache1.1')
  int(20, lines.length)
  bytes[28] = bigEndian ? 3 : 2
  let end = HEADER + lines.length * ENTRY
  const place = (text: string): number => {
    const at = end
    end += bytes.write(`${text}\0`, at)
    return at
  }
  const variants = [...new Set(lines.flatMap(({ variant }) => variant ?? []))]
  for (const [index, { soname, path, variant }] of lines.entries()) {
    const at = HEADER + index * ENTRY
    int(at, 1)
    int(at + 4, place(soname))
    int(at + 8, place(path))
    if (variant === undefined) continue
    int(at + (bigEndian ? 20 : 16), variants.indexOf(variant))
    int(at + (bigEndian ? 16 : 20), EXTENSION)
  }
  const texts = variants.map(place)
  const extension = (end = Math.ceil(end / 4) * 4)
  int(32, extension)
  int(extension, 0xeaa42174)
  int(extension + 4, 1)
  int(extension + 8, 1)
  int(extension + 16, extension + 24)
  int(extension + 20, texts.length * 4)
  for (const [index, at] of texts.entries()) int(extension + 24 + index * 4, at)
  const made = bytes.subarray(0, extension + 24 + texts.length * 4)
  if (!behindOld) return made
  const old = Buffer.alloc(16)
  old.write('ld.so-1.7.0')
  return Buffer.concat([old, made])
}
