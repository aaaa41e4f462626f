// `npm run build:standalone [-- --libc=musl] [-- --arch=arm64]`: makes build/standalone/tare, one file that is all of the
// command line. docs/standalone.md tells what it is made of.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bundle, native, run } from '../scripts/build.mjs'
import { bunFor, hostLibc, isKnown } from './bun.mjs'
import { addSegment, addressBehind, readElf } from './elf.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..')
const out = join(root, 'build', 'standalone')

/** What the standalone program has otherwise: where the addon comes from, how it is started again, and the version. */
const OTHERWISE = ['./addon.js', './own-command.js']

const replacements = (version) => ({
  name: 'standalone',
  resolveId: (source, importer) =>
    OTHERWISE.includes(source) ? join(dirname(importer), source.replace('.js', '-standalone.js')) : null,
  load: (id) =>
    id.endsWith('/cli/package-version.js') ? `export const packageVersion = () => ${JSON.stringify(version)}\n` : null,
})

/** The command line as one file by Bun, without what is native. */
const compile = async ({ bun, arch, libc }) => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const code = join(out, 'code')
  await bundle(code, join(here, 'main.js'), { format: 'cjs', dynamicImportInCjs: false }, [replacements(version)])
  const file = join(out, 'bun-program')
  run(bun, [
    'build', '--compile', `--compile-executable-path=${bunFor(arch, libc)}`,
    // Bun puts the processor into the code as a constant.
    `--target=bun-linux-${arch}${libc === 'musl' ? '-musl' : ''}`, '--minify', '--keep-names', '--bytecode', '--format=cjs', '--compile-jit-policy=20',
    '--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig', '--no-compile-autoload-tsconfig',
    '--no-compile-autoload-package-json', `--outfile=${file}`, join(code, 'main.js'),
  ]) // prettier-ignore
  return file
}

/** The entry, linked to lie behind a program. */
const linkEntry = ({ cc, addon, program }) => {
  const elf = readElf(program)
  const file = join(out, 'entry')
  run(cc, [
    '-std=gnu11', '-Os', '-static', '-nostdlib', '-ffreestanding', '-fno-builtin', '-fno-stack-protector', '-fno-pic', '-no-pie',
    '-fno-asynchronous-unwind-tables', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-s', `-DADDON_FILE="${addon}"`,
    `-DPROGRAM_ENTRY="${elf.entry}"`, `-Wl,-Ttext-segment=0x${addressBehind(elf).toString(16)}`,
    '-Wl,--build-id=none,-z,noseparate-code,-z,norelro,-z,noexecstack', '-o', file, join(here, 'entry.c'),
  ]) // prettier-ignore
  return file
}

const { values } = parseArgs({ options: { libc: { type: 'string' }, arch: { type: 'string' } } })
const { libc = hostLibc(), arch = process.arch } = values
if (!isKnown(arch, libc)) {
  process.stderr.write(`cannot build for ${arch} with ${libc}: --arch is x64 or arm64, --libc glibc or musl\n`)
  process.exit(1)
}
const cc =
  process.env.CC ??
  (arch === process.arch ? 'cc' : { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' }[arch])

mkdirSync(out, { recursive: true })
run(process.execPath, [join(root, 'scripts', 'setup.mjs')])
// It names no C library, so that it takes that of the program which loads it, whichever and however old that is.
const addon = native({ cc, out: join(out, `native-${arch}`), link: ['-nostdlib', '-lgcc', '-s'] })
const compiled = await compile({ bun: bunFor(process.arch, hostLibc()), arch, libc })
const program = readFileSync(compiled)
const whole = addSegment(program, readFileSync(linkEntry({ cc, addon, program })))
const result = join(out, arch === process.arch && libc === hostLibc() ? 'tare' : `tare-linux-${arch}-${libc}`)
// In one piece or not at all, and also while the one before is running.
writeFileSync(`${result}.new`, whole)
chmodSync(`${result}.new`, 0o755)
renameSync(`${result}.new`, result)
rmSync(compiled)
if (result === join(out, 'tare')) {
  // Called by this name it is the OCI runtime.
  rmSync(join(out, 'tare-oci'), { force: true })
  symlinkSync('tare', join(out, 'tare-oci'))
}
process.stdout.write(`${result} (${(whole.length / 1e6).toFixed(1)} MB)\n`)
