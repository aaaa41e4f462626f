// Makes a checkout ready to use: the packages it is built with, then the build. Says nothing where nothing is to do.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const stamp = join(root, 'build', '.stamp')

/** All that the build reads, and what it must have left. */
const SOURCES = ['src', 'test', 'bench', 'native', 'scripts/build.mjs', 'tsconfig.json', 'package-lock.json']
const PRODUCTS = ['build/stage', 'build/tare.node', 'dist/src', 'dist/cli/code', 'dist/lib/es']

const say = (text) => process.stderr.write(`${text}\n`)

const fail = (text) => {
  say(text)
  process.exit(1)
}

const run = (command, args) => {
  try {
    execFileSync(command, args, { cwd: root, stdio: 'inherit' })
  } catch (error) {
    fail(`setup: "${[command, ...args].join(' ')}" failed${error.code === undefined ? '' : ` (${error.code})`}`)
  }
}

const packagesOf = (lockFile) => JSON.parse(readFileSync(lockFile, 'utf8')).packages

/**
 * Whether node_modules is what package-lock.json asks for. By content, since a checkout's times say nothing: each
 * installed package must have the version asked for. Optional ones may be missing (they are for other machines).
 */
const hasPackages = () => {
  const installedLock = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedLock)) return false
  const [wanted, installed] = [packagesOf(join(root, 'package-lock.json')), packagesOf(installedLock)]
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true
    const found = installed[path]
    return found === undefined ? entry.optional === true : found.version === entry.version
  })
}

/** The latest change at or below a path, in ms. A directory counts too: it changes when a file in it goes. */
const latestChange = (path) => {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return readdirSync(path).reduce((latest, name) => Math.max(latest, latestChange(join(path, name))), stat.mtimeMs)
}

const isBuilt = () => {
  const built = statSync(stamp, { throwIfNoEntry: false })
  if (built === undefined || !PRODUCTS.every((product) => existsSync(join(root, product)))) return false
  return SOURCES.every((source) => latestChange(join(root, source)) <= built.mtimeMs)
}

if (!hasPackages()) {
  say('setup: installing packages (npm ci)')
  run('npm', ['ci', '--loglevel=error', '--no-audit', '--no-fund'])
}
if (!isBuilt()) {
  say('setup: building')
  const begin = new Date()
  rmSync(stamp, { force: true })
  run(process.execPath, ['scripts/build.mjs'])
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, '')
  // The time at which the build began: what changed during it is built next time.
  utimesSync(stamp, begin, begin)
}
