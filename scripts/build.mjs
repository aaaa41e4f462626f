// Builds what a checkout needs: the stage, the addon that carries it, and the TypeScript.
// `node scripts/build.mjs native` builds the native part alone (an installed package does that).
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
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

export const run = (command, args) => {
  try {
    execFileSync(command, args, { cwd: root, stdio: 'inherit' })
  } catch (error) {
    if (error.code === 'ENOENT') console.error(`cannot run ${command}: it is not installed`)
    process.exit(1)
  }
}

/**
 * Builds the stage, and the addon that carries it. `link` are more words for the linker of the addon; returns its path.
 */
export const native = ({ cc = process.env.CC ?? 'cc', out = build, link = [] } = {}) => {
  mkdirSync(out, { recursive: true })
  const stage = join(out, 'stage')
  const addon = join(out, 'tare.node')
  const shared = ['native/syscall.h', 'scripts/build.mjs'].map((file) => join(root, file))
  const stageSources = [
    ...shared,
    ...['plan.h', 'monitor.h', 'walk.h', 'stage.c'].map((file) => join(root, 'native', file)),
  ]
  if (stale(stage, stageSources)) run(cc, [...stageFlags, ...warnings, '-o', stage, 'native/stage.c'])
  if (
    stale(addon, [
      ...shared,
      stage,
      ...['binding.c', 'calls.c', 'watch.c', 'instance.h', 'spin.h'].map((file) => join(root, 'native', file)),
    ])
  ) {
    const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'))
    // nodelete: where a worker has ended that loaded it, a thread or a child of ours may still be running its code.
    run(cc, [
      '-std=gnu11', '-O2', '-fPIC', '-shared', '-pthread', '-fvisibility=hidden', '-fno-stack-protector', ...warnings,
      `-I${headers}`, `-DSTAGE_FILE="${stage}"`, '-o', addon, 'native/binding.c', 'native/calls.c', 'native/watch.c', '-Wl,-z,noexecstack,-z,relro,-z,now,-z,nodelete',
      ...link,
    ]) // prettier-ignore
  }
  return addon
}

/** Both lie as deep as dist/src/linux, from where the addon is looked for. */
const code = join(root, 'dist', 'cli', 'code')
const library = join(root, 'dist', 'lib', 'es')
const caches = join(build, 'code')

/** Puts modules that tsc has built into a few files: loading those is many times faster than loading hundreds. */
export const bundle = async (folder, input, options, plugins = []) => {
  const { rollup } = await import('rollup')
  const made = await rollup({
    input,
    plugins,
    external: /^node:/,
    treeshake: { moduleSideEffects: false },
    onLog: (level, log, handle) => {
      // What tsc writes for "using" asks for "this", and knows that there may be none.
      if (level === 'warn' && log.code !== 'THIS_IS_UNDEFINED') handle('error', log)
    },
  })
  const { output } = await made.generate({ ...options, chunkFileNames: '[name].js', experimentalMinChunkSize: 8000 })
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { fileName, code: text } of output) {
    // The first line names a file by its content.
    const name = createHash('sha256').update(text).digest('hex').slice(0, 16)
    writeFileSync(join(folder, fileName), `// ${name}\n${text}`)
  }
}

/** The command line, of which each command loads what it needs. In CommonJS: with that V8 takes code it made before. */
const bundleCommands = () =>
  bundle(code, join(root, 'dist/src/cli/main.js'), { format: 'cjs', dynamicImportInCjs: false }, [
    { name: 'import.meta.url', resolveImportMeta: () => '__filename' },
  ])

/** What programs import: the two faces of the package, and what they share. */
const bundleLibrary = () =>
  bundle(
    library,
    { index: join(root, 'dist/src/index.js'), linux: join(root, 'dist/src/linux/index.js') },
    { format: 'es' },
  )

/** What this V8 makes of the command line, kept beside the addon (scripts/code-cache.mjs). */
const codeCache = () => {
  rmSync(caches, { recursive: true, force: true })
  mkdirSync(caches, { recursive: true })
  run(process.execPath, ['scripts/code-cache.mjs'])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  native()
  if (process.argv[2] !== 'native') {
    run(join(root, 'node_modules/.bin/tsc'), [])
    await bundleCommands()
    await bundleLibrary()
  }
  if (existsSync(code)) codeCache()
}
