// `npm run bench [-- --quick] [-- PART…]`: builds what is needed, and measures. bench/main.ts says what.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'build', 'bench')

/** Static, without libc, as small as they get; the warnings are those of the native part. */
const FLAGS = [
  '-std=gnu11', '-O2', '-static', '-nostdlib', '-ffreestanding', '-fno-builtin', '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables', '-fno-pic', '-no-pie', '-s', '-Wall', '-Wextra', '-Werror', '-Wshadow',
  '-Wl,--build-id=none,-z,noseparate-code,-z,norelro,-z,noexecstack',
] // prettier-ignore

const run = (command, args) => {
  try {
    execFileSync(command, args, { cwd: root, stdio: 'inherit' })
  } catch {
    process.stderr.write(`bench: "${command} ${args.join(' ')}" failed\n`)
    process.exit(1)
  }
}

run(process.execPath, ['scripts/setup.mjs'])
mkdirSync(out, { recursive: true })
for (const name of ['true', 'floor', 'crowd'])
  run(process.env.CC ?? 'cc', [...FLAGS, '-o', join(out, name), join('bench', `${name}.c`)])

const { status } = spawnSync(process.execPath, [join(root, 'dist', 'bench', 'main.js'), ...process.argv.slice(2)], {
  stdio: 'inherit',
})
process.exit(status ?? 1)
