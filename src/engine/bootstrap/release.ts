import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TareError } from '../../linux/error.ts'
import { fromNodeError } from '../../linux/proc.ts'
import { engineError } from './failure.ts'
import { findProgram } from './find-program.ts'
import type { Builder } from './helper.ts'
import { runHelper } from './helper.ts'
import type { Source } from './source.ts'

/** Seconds without an answer, after which a mirror is out of reach. */
const PATIENCE = 20

/** apt's own downloader, or the one that debootstrap needs anyway: both know the proxies that the engine will use. */
const downloader = (url: string, file: string): readonly string[] | undefined => {
  const apt = findProgram(['apt-helper'], '/usr/lib/apt:/usr/libexec/apt')
  if (apt !== undefined) {
    const settings = [
      'APT::Sandbox::User=root',
      'Acquire::Retries=0',
      `Acquire::http::Timeout=${PATIENCE}`,
      `Acquire::https::Timeout=${PATIENCE}`,
    ]
    return [apt.path, ...settings.flatMap((each) => ['-o', each]), 'download-file', url, file]
  }
  const wget = findProgram(['wget'])
  return wget === undefined ? undefined : [wget.path, '-nv', '--tries=1', `--timeout=${PATIENCE}`, '-O', file, url]
}

/** Newer archives sign the file itself, older ones beside it. */
const NAMES = ['InRelease', 'Release'] as const

const FILE = 'file://'

const readLocal = (system: string, directory: string): Buffer => {
  const path = NAMES.map((name) => join(directory, name)).find((each) => existsSync(each))
  if (path === undefined) throw engineError(system, 'its mirror', [`File not found - ${directory}`], '')
  try {
    return readFileSync(path)
  } catch (error) {
    throw fromNodeError(error, 'read', path)
  }
}

const fetchOne = async (
  system: string,
  { mirror, suite }: Source,
  file: string,
  builder: Builder,
  signal: AbortSignal | undefined,
): Promise<Buffer | undefined> => {
  if (mirror.startsWith(FILE)) return readLocal(system, join(mirror.slice(FILE.length), 'dists', suite))
  let failure: TareError | undefined
  for (const name of NAMES) {
    const command = downloader(`${mirror}/dists/${suite}/${name}`, file)
    if (command === undefined) return undefined
    const { ok, lines, ending } = await runHelper(command, builder, { walls: false, signal })
    if (ok) return readFileSync(file)
    failure ??= engineError(`${system} (${suite} of ${mirror})`, 'the download of its release file', lines, ending)
    if (failure.code !== 'ERR_TARE_SUITE') break
  }
  throw failure
}

/**
 * The files by which an archive says what is in a release now, in the order of the sources. They say when something is
 * new; they are not verified here, which is the engine's part. Undefined where there is nothing to fetch them with.
 * Rejects where the mirror is out of reach, or has no such release. Files go to `directory`.
 */
export const fetchReleases = async (
  system: string,
  sources: readonly Source[],
  directory: string,
  builder: Builder,
  signal: AbortSignal | undefined,
): Promise<readonly Buffer[] | undefined> => {
  // All of them to their end, so that none is running any more when one has failed.
  const settled = await Promise.allSettled(
    sources.map((source, index) => fetchOne(system, source, join(directory, `release-${index}`), builder, signal)),
  )
  const files: Buffer[] = []
  for (const each of settled) {
    if (each.status === 'rejected') throw each.reason
    if (each.value === undefined) return undefined
    files.push(each.value)
  }
  return files
}
