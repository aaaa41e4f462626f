import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, readdirSync, realpathSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Closure } from '../src/index.ts'
import { buildRoot, chroot, closure, traceFiles } from '../src/index.ts'
import type { PartReport, Row } from './report.ts'
import { milliseconds, ratioOf } from './report.ts'
import { interleave, samplesOf } from './statistics.ts'
import type { Tools } from './tools.ts'
import { findProgram } from './tools.ts'

const MIB = 2 ** 20
const LISTS = '/var/lib/dpkg/info'

export const CLOSURES_HOW = `For each program the closure is worked out as \`tare chroot build\` does it, built, and a command is run in it by chroot(2)
alone, which must succeed. Beside it stands what whole packages would take: every file of each package of which the closure
has at least one file, as \`du\` counts them. Python, nginx and git are traced, with the command that is then run: python
imports ssl and sqlite3, git clones a repository, nginx checks its configuration. How long it takes to work out what the
five are linked to is measured beside \`ldd\`, which runs their loader.`

interface Subject {
  readonly name: string
  /** What is traced on the host; nothing for a program that its libraries are enough for. */
  readonly trace?: readonly string[]
  readonly include?: readonly string[]
  /** What is run in the root. */
  readonly command: readonly string[]
}

const PYTHON = ['-c', 'import ssl, sqlite3']

const subjects = (directory: string): readonly Subject[] => {
  const repository = join(directory, 'repository')
  const python = '/usr/bin/python3'
  return [
    { name: 'bash', command: ['bash', '-c', '[[ $BASH_VERSION ]]'] },
    { name: python, trace: [python, ...PYTHON], command: [python, ...PYTHON] },
    { name: 'nginx', trace: ['nginx', '-t'], command: ['nginx', '-t'] },
    {
      name: 'git',
      trace: ['git', 'clone', repository, join(directory, 'traced')],
      include: [`${repository}:/srv/repository`],
      command: ['git', 'clone', '/srv/repository', '/tmp/clone'],
    },
    { name: process.execPath, command: [process.execPath, '-e', '0'] },
  ]
}

const makeRepository = (directory: string): void => {
  const git = (...args: readonly string[]): void =>
    void execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      cwd: directory,
      stdio: 'ignore',
    })
  mkdirSync(join(directory, 'repository'))
  git('-C', 'repository', 'init')
  writeFileSync(join(directory, 'repository/file'), 'content')
  git('-C', 'repository', 'add', 'file')
  git('-C', 'repository', 'commit', '-m', 'first')
}

/** Each file of a package, links in its directories followed: /lib may be /usr/lib. */
const filesOf = (list: string): readonly string[] => {
  const directories = new Map<string, string>()
  return readFileSync(join(LISTS, list), 'utf8')
    .split('\n')
    .flatMap((path) => {
      const parent = dirname(path)
      try {
        const known = directories.get(parent) ?? realpathSync(parent)
        directories.set(parent, known)
        return lstatSync(path).isDirectory() ? [] : [join(known, basename(path))]
      } catch {
        // A file that was left out when the package was installed, as documentation is in images.
        return []
      }
    })
}

const blocks = (paths: Iterable<string>): number => {
  const seen = new Set<string>()
  let sum = 0
  for (const path of paths) {
    const stats = lstatSync(path)
    const key = `${stats.dev}:${stats.ino}`
    if (!seen.has(key)) sum += stats.blocks * 512
    seen.add(key)
  }
  return sum
}

/** The packages that a closure has files of, whole. */
const packagesOf = (
  { entries }: Closure,
  lists: ReadonlyMap<string, readonly string[]>,
): readonly (readonly string[])[] => {
  const wanted = new Set(entries.flatMap((entry) => (entry.kind === 'file' ? [entry.source] : [])))
  return [...lists.values()].filter((files) => files.some((file) => wanted.has(file)))
}

/** Files, links and directories of a tree. */
const below = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name))

const mebibytes = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`

const measureSubject = async (
  tools: Tools,
  subject: Subject,
  lists: ReadonlyMap<string, readonly string[]>,
): Promise<readonly Row[]> => {
  const name = basename(subject.name)
  const traced = subject.trace === undefined ? [] : (await traceFiles(subject.trace, { output: 'ignore' })).files
  const found = closure([subject.name], { traced, include: subject.include })
  const output = join(tools.directory, `closure-${name}`)
  await buildRoot(found, { output, method: 'copy' })
  const { exitCode } = await chroot(output, subject.command, { dev: true, env: { ...process.env, HOME: '/tmp' } })
  const packages = packagesOf(found, lists)
  const [own, whole] = [
    blocks(below(output).filter((path) => !lstatSync(path).isDirectory())),
    blocks(new Set(packages.flat())),
  ]
  const count = found.entries.filter(({ kind }) => kind === 'file').length
  return [
    { measure: `${name}: the closure, ${count} files`, median: mebibytes(own) },
    { measure: `${name}: ${packages.length} packages, whole`, median: mebibytes(whole) },
    { measure: `${name}: closure : packages`, ratio: own / whole },
    {
      measure: `${name}: \`${[name, ...subject.command.slice(1)].join(' ')}\` runs in it`,
      median: exitCode === 0 ? 'yes' : 'no',
      value: exitCode === 0 ? 1 : 0,
      target: { least: 1 },
    },
  ]
}

/** (h) what programs need, beside their packages. */
export const measureClosures = async (tools: Tools): Promise<PartReport> => {
  const missing = ['bash', 'python3', 'nginx', 'git', 'dpkg', 'ldd'].filter((name) => findProgram(name) === undefined)
  if (missing.length > 0) return { rows: [], remarks: [`skipped: ${missing.join(', ')} not installed`] }
  makeRepository(tools.directory)
  const all = subjects(tools.directory)
  const names = readdirSync(LISTS).filter((name) => name.endsWith('.list'))
  const lists = new Map(names.map((name) => [name, filesOf(name)]))
  const rows: Row[] = []
  for (const subject of all) rows.push(...(await measureSubject(tools, subject, lists)))
  const programs = all.map(({ name }) => (name.includes('/') ? name : (findProgram(name) ?? name)))
  const timed = (work: () => void) => async (): Promise<number> => {
    const began = process.hrtime.bigint()
    work()
    return Number(process.hrtime.bigint() - began)
  }
  const samples = await interleave(
    [
      { name: 'closure', sample: timed(() => void closure(programs)) },
      { name: 'ldd', sample: timed(() => void execFileSync('ldd', programs, { stdio: 'ignore' })) },
    ],
    tools.quick ? 5 : 30,
    5,
  )
  const of = (name: string): readonly number[] => samplesOf(samples, name)
  rows.push(
    { measure: 'closure() of the five', median: milliseconds(of('closure')) },
    { measure: '`ldd` of the five', median: milliseconds(of('ldd')) },
    { measure: 'closure() : ldd', ratio: ratioOf(of('closure'), of('ldd')) },
  )
  return { rows, remarks: [] }
}
