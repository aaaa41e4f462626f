// Bun, with which the standalone program is made. `node standalone/bun.mjs` fetches it, and prints where it is.
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

const fail = (text) => {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}

/** The package that holds Bun for a processor and a C library (standalone/package.json says which version). */
const PACKAGES = {
  'x64 glibc': '@oven/bun-linux-x64-baseline',
  'x64 musl': '@oven/bun-linux-x64-musl-baseline',
  'arm64 glibc': '@oven/bun-linux-aarch64',
  'arm64 musl': '@oven/bun-linux-aarch64-musl',
}

/** The C library of this Node, which is that of this host. */
export const hostLibc = () => (process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc')

/** Whether there is a Bun for a processor and a C library. */
export const isKnown = (arch, libc) => PACKAGES[`${arch} ${libc}`] !== undefined

/**
 * The path of Bun for a processor and a C library. It takes 100 MB, so it is no dependency of everybody's: it is fetched
 * when it is first needed, in exactly the version and with the hash that standalone/package-lock.json names.
 */
export const bunFor = (arch, libc) => {
  const name = PACKAGES[`${arch} ${libc}`]
  const lock = join(here, 'package-lock.json')
  const { version } = JSON.parse(readFileSync(lock, 'utf8')).packages[`node_modules/${name}`]
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  const folder = join(cache, 'tare', `bun-${version}-${arch}-${libc}`)
  const inside = join('node_modules', name, 'bin', 'bun')
  const bun = join(folder, inside)
  if (existsSync(bun)) return bun
  process.stderr.write(`fetching ${name} ${version}\n`)
  const fresh = `${folder}.${process.pid}`
  mkdirSync(fresh, { recursive: true })
  try {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(here, file), join(fresh, file))
    const wanted = ['--os=linux', `--cpu=${arch}`, `--libc=${libc}`]
    execFileSync('npm', ['ci', '--silent', '--no-audit', '--no-fund', ...wanted], { cwd: fresh, stdio: 'inherit' })
    // An optional package that can't be had is no failure to npm.
    if (!existsSync(join(fresh, inside))) throw new Error('it did not come')
    rmSync(folder, { recursive: true, force: true })
    renameSync(fresh, folder)
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
    fail(
      `cannot fetch ${name} ${version} with npm: ${error.message}\n` +
        'The standalone program is made with Bun; the command line under Node (bin/tare) needs none.',
    )
  }
  return bun
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${bunFor(process.arch, hostLibc())}\n`)
