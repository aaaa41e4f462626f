// `npm test`: the checks of the code, then every test. `npm test -- PATTERN…` runs only the test files whose path
// contains one of the patterns, and no checks.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bin = (name) => join(root, 'node_modules', '.bin', name)

const CHECKS = [
  { name: 'lint', command: [bin('oxlint'), '--deny-warnings', '--report-unused-disable-directives'] },
  { name: 'format', command: [bin('oxfmt'), '--check', '.'] },
  { name: 'unused code', command: [bin('knip'), '--no-progress'] },
  { name: 'package', command: [bin('publint'), '--strict'] },
  { name: 'package types', command: [bin('attw'), '--pack', '.', '--profile', 'esm-only', '--no-emoji'] },
]

/** Tests below these folders look at the whole host for what is left behind: one file at a time. */
const ALONE = ['test/host/', 'test/conformance/']

/** No test file takes longer than this, in ms. */
const TIMEOUT = 300_000

const say = (text) => process.stdout.write(`${text}\n`)

const check = ({ name, command: [program, ...args] }) =>
  new Promise((done) => {
    const begin = performance.now()
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = []
    const end = (ok) => done({ name, ok, output: Buffer.concat(output).toString(), ms: performance.now() - begin })
    child.stdout.on('data', (data) => output.push(data))
    child.stderr.on('data', (data) => output.push(data))
    child.on('error', (error) => {
      output.push(Buffer.from(`cannot run ${program}: ${error.message}\n`))
      end(false)
    })
    child.on('close', (status) => end(status === 0))
  })

/** Runs the checks one after the other; the names of those that failed. */
const runChecks = async () => {
  const failed = []
  for (const each of CHECKS) {
    const { name, ok, output, ms } = await check(each)
    say(`${ok ? 'ok    ' : 'FAILED'} ${name} (${(ms / 1000).toFixed(1)} s)`)
    if (!ok) {
      failed.push(name)
      say(output.replace(/^/gm, '       ').trimEnd())
    }
  }
  return failed
}

/** The test files at or below a folder, by their sources: what is left in dist/ of a deleted test doesn't run. */
const testFiles = (folder) =>
  readdirSync(join(root, folder), { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return testFiles(path)
      return entry.name.endsWith('.test.ts') ? [path] : []
    })

const built = (source) => join(root, 'dist', source.replace(/\.ts$/, '.js'))

/** Runs some test files (at least one), so many at a time, and counts. Node's own reporter words the results. */
const runTests = (sources, concurrency) =>
  new Promise((done, fail) => {
    const count = { passed: 0, failed: 0, skipped: 0, files: new Set() }
    const files = sources.map(built)
    const results = run({ files, concurrency, timeout: TIMEOUT })
    const isTest = (data) => data.details?.type !== 'suite'
    results.on('test:pass', (data) => {
      if (!isTest(data)) return
      if (data.skip === undefined && data.todo === undefined) count.passed++
      else count.skipped++
    })
    results.on('test:fail', (data) => {
      if (data.todo !== undefined) return void count.skipped++
      if (isTest(data)) count.failed++
      count.files.add(data.file === undefined ? data.name : relative(join(root, 'dist'), data.file))
    })
    const report = results.compose(spec)
    report.on('end', () => done(count))
    report.on('error', fail)
    report.pipe(process.stdout, { end: false })
  })

const patterns = process.argv.slice(2).filter((argument) => argument !== '--')
const failures = patterns.length === 0 ? (await runChecks()).map((name) => `check: ${name}`) : []

const chosen = ['src', 'test', 'bench']
  .flatMap(testFiles)
  .filter(
    (source) => patterns.length === 0 || patterns.some((pattern) => source.includes(pattern.replace(/^\.\//, ''))),
  )
if (chosen.length === 0) {
  say(`no test file matches ${patterns.join(' or ')}`)
  process.exit(1)
}
const unbuilt = chosen.filter((source) => !existsSync(built(source)))
if (unbuilt.length > 0) {
  say(`not built: ${unbuilt.join(', ')}\nRun "npm run build".`)
  process.exit(1)
}
const alone = chosen.filter((source) => ALONE.some((folder) => source.startsWith(folder)))
const together = chosen.filter((source) => !alone.includes(source))

const counts = []
if (together.length > 0) counts.push(await runTests(together, availableParallelism()))
if (alone.length > 0) counts.push(await runTests(alone, 1))
const total = (key) => counts.reduce((sum, count) => sum + count[key], 0)
for (const count of counts) failures.push(...[...count.files].map((file) => `test: ${file}`))

say('')
for (const failure of failures) say(`FAILED ${failure}`)
say(`${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped`)
process.exitCode = failures.length === 0 ? 0 : 1
