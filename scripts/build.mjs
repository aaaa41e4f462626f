// Builds what a checkout needs: the stage, the addon that carries it, and the TypeScript.
// `node scripts/build.mjs native` builds the native part alone (an installed package does that).
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const build = join(root, 'build')

const warnings = ['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wvla', '-Wstrict-prototypes']

/** Without libc, without anything: what is in the file is what runs. */
const stageFlags = [
  '-std=gnu11', '-Os', '-static', '-nostdlib', '-ffreestanding', '-fno-builtin', '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables', '-fno-pic', '-no-pie', '-s',
  '-Wl,--build-id=none,-z,noseparate-code,-z,norelro,-z,noexecstack',
] // prettier-ignore

const stale = (target, sources) =>
  !existsSync(target) || sources.some((source) => statSync(source).mtimeMs > statSync(target).mtimeMs)

const run = (command, args) => {
  try {
    execFileSync(command, args, { cwd: root, stdio: 'inherit' })
  } catch (error) {
    if (error.code === 'ENOENT') console.error(`cannot run ${command}: it is not installed`)
    process.exit(1)
  }
}

export const native = ({ cc = process.env.CC ?? 'cc', out = build } = {}) => {
  mkdirSync(out, { recursive: true })
  const stage = join(out, 'stage')
  const addon = join(out, 'tare.node')
  const shared = ['native/syscall.h', 'scripts/build.mjs'].map((file) => join(root, file))
  const stageSources = [...shared, ...['plan.h', 'walk.h', 'stage.c'].map((file) => join(root, 'native', file))]
  if (stale(stage, stageSources)) run(cc, [...stageFlags, ...warnings, '-o', stage, 'native/stage.c'])
  if (
    stale(addon, [
      ...shared,
      stage,
      ...['binding.c', 'watch.c', 'instance.h'].map((file) => join(root, 'native', file)),
    ])
  ) {
    const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'))
    run(cc, [
      '-std=gnu11', '-O2', '-fPIC', '-shared', '-pthread', '-fvisibility=hidden', '-fno-stack-protector', ...warnings,
      `-I${headers}`, `-DSTAGE_FILE="${stage}"`, '-o', addon, 'native/binding.c', 'native/watch.c', '-Wl,-z,noexecstack,-z,relro,-z,now',
    ]) // prettier-ignore
  }
}

/** The command line in one file, which loads several times faster than two hundred. Its first line names its content. */
const bundle = async () => {
  const { build: esbuild } = await import('esbuild')
  const { outputFiles } = await esbuild({
    entryPoints: [join(root, 'dist/src/cli/main.js')],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
    logLevel: 'warning',
  })
  const [{ text }] = outputFiles
  const name = createHash('sha256').update(text).digest('hex').slice(0, 16)
  writeFileSync(command, `// ${name}\n${text}`)
}

const command = join(root, 'dist/src/cli/tare.cjs')

/** What this V8 makes of the command line, kept beside the addon (scripts/code-cache.mjs). */
const codeCache = () => {
  for (const name of readdirSync(build)) if (name.endsWith('.cache')) rmSync(join(build, name))
  run(process.execPath, ['scripts/code-cache.mjs'])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  native()
  if (process.argv[2] !== 'native') {
    run(join(root, 'node_modules/.bin/tsc'), [])
    await bundle()
  }
  if (existsSync(command)) codeCache()
}
