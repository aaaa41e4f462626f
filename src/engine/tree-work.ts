import { closeSync, openSync } from 'node:fs'
import { O_DIRECTORY, O_RDONLY } from '../linux/fcntl.ts'
import { InputError } from '../linux/error.ts'
import { fromNodeError } from '../linux/proc.ts'
import type { ByteSource } from '../image/tar/byte-reader.ts'
import { TarReader } from '../image/tar/reader.ts'
import { copyTree } from '../image/tree/copy.ts'
import { renewIdentity } from '../image/tree/identity.ts'
import { packTree } from '../image/tree/pack.ts'
import { unpackTree } from '../image/tree/unpack.ts'
import { boolean, Fields, oneOf, string } from '../oci/fields.ts'

/** What is done with the files of a system by whoever is root in it. */
export type TreeWork =
  | { readonly kind: 'pack'; readonly directory: string }
  | { readonly kind: 'unpack'; readonly directory: string; readonly devices: boolean; readonly layer: boolean }
  | { readonly kind: 'copy'; readonly directory: string; readonly to: string }
  /** Takes from it what tells it from all others: the next boot makes that anew. */
  | { readonly kind: 'renew'; readonly directory: string }

/** Told of each thing that is left out: what, as a sentence without a full stop, and its path. */
export type OnLeftOut = (what: string, path: string) => void

export interface TreeWorkOptions {
  readonly signal?: AbortSignal | undefined
  readonly onLeftOut: OnLeftOut
}

const KINDS = ['pack', 'unpack', 'copy', 'renew'] as const

/** What came as JSON. Throws {@link InputError}. */
export const readTreeWork = (value: unknown): TreeWork => {
  const fields = new Fields(value, 'tree-work:')
  const kind = fields.required('kind', oneOf(KINDS))
  const directory = fields.required('directory', string)
  if (kind === 'pack' || kind === 'renew') return { kind, directory }
  if (kind === 'copy') return { kind, directory, to: fields.required('to', string) }
  return { kind, directory, devices: fields.required('devices', boolean), layer: fields.required('layer', boolean) }
}

const open = (directory: string): number => {
  try {
    return openSync(directory, O_RDONLY | O_DIRECTORY)
  } catch (error) {
    throw fromNodeError(error, 'open', directory)
  }
}

/** Does it in this process, which sees the ids of the system's files as they are in it. What it makes are the bytes of an archive, or of a report. */
export async function* doTreeWork(
  work: TreeWork,
  input: ByteSource | undefined,
  { signal, onLeftOut }: TreeWorkOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const directory = open(work.directory)
  try {
    switch (work.kind) {
      case 'pack':
        yield* packTree(directory, { signal, onLeftOut })
        return
      case 'unpack': {
        if (input === undefined) throw new InputError({ operation: 'unpack', reason: 'there is no archive' })
        const reader = new TarReader(input, { lenient: work.layer })
        const { devices, layer: whiteouts } = work
        try {
          await unpackTree(directory, reader, { signal, onLeftOut, devices, whiteouts })
        } finally {
          await reader.close()
        }
        return
      }
      case 'copy': {
        const to = open(work.to)
        try {
          yield Buffer.from(JSON.stringify(await copyTree(directory, to, { signal, onLeftOut })))
          return
        } finally {
          closeSync(to)
        }
      }
      case 'renew':
        renewIdentity(directory)
    }
  } finally {
    closeSync(directory)
  }
}
