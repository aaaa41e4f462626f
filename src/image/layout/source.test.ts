import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import { TareError } from '../../linux/error.ts'
import { directoryLayout } from './source.ts'

const base = mkdtempSync(join(tmpdir(), 'tare-layout-'))
after(() => rmSync(base, { recursive: true }))

/** The files below a directory that this process has open. */
const openFiles = (directory: string): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(`${directory}/`) ? [path.slice(directory.length + 1)] : []
    } catch {
      // That of the listing itself.
      return []
    }
  })

test('a layout that is closed has no file open, read or not', async () => {
  for (const name of ['read', 'begun', 'unread']) writeFileSync(join(base, name), name)
  const layout = directoryLayout(base)
  for await (const piece of layout.open('read') ?? []) assert.equal(Buffer.from(piece).toString(), 'read')
  assert.deepEqual(openFiles(base), [], 'what was read to its end')
  const begun = layout.open('begun')?.[Symbol.asyncIterator]()
  await begun?.next()
  layout.open('unread')
  assert.deepEqual(openFiles(base).toSorted(), ['begun', 'unread'])
  layout.close()
  assert.deepEqual(openFiles(base), [])
  await begun?.return?.()
  assert.equal(layout.open('none'), undefined)
  assert.throws(() => layout.open('.'), TareError)
  assert.deepEqual(openFiles(base), [])
})
