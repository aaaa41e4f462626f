// Fuzzes the walk of a plan (native/test/fuzz.c): `npm run fuzz`. RUNS=1000000 unless told; CC_FUZZ is a clang with
// libFuzzer. What it learns stays in build/fuzz/; what breaks it goes to native/test/corpus/, where the ordinary tests
// try it again ever after.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const learned = join(root, 'build', 'fuzz', 'corpus')
const corpus = join(root, 'native', 'test', 'corpus')
const program = join(root, 'build', 'fuzz', 'fuzz')

const FLAGS = [
  '-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wvla', '-Wstrict-prototypes',
  '-fsanitize=fuzzer,address,undefined', '-fno-sanitize-recover=all',
] // prettier-ignore

const { CC_FUZZ, RUNS = '1000000' } = process.env
const compilers = CC_FUZZ === undefined ? ['clang', 'clang-14'] : [CC_FUZZ]

if (!/^[1-9]\d*$/.test(RUNS)) {
  console.error(`cannot fuzz: RUNS is ${JSON.stringify(RUNS)}, not a number of runs`)
  process.exit(1)
}
const compiler = compilers.find((name) => spawnSync(name, ['--version']).status === 0)
if (compiler === undefined) {
  console.error(
    `cannot fuzz: ${compilers.join(' and ')} cannot be run\nInstall clang with libFuzzer, or name one in CC_FUZZ.`,
  )
  process.exit(1)
}
const run = (command, args) => {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (status === 0) return
  console.error(`fuzz: ${command} failed (${error?.message ?? signal ?? status})`)
  process.exit(1)
}
mkdirSync(learned, { recursive: true })
run(compiler, [...FLAGS, '-o', program, 'native/test/fuzz.c'])
run(program, [`-runs=${RUNS}`, '-max_len=2048', '-print_final_stats=1', `-artifact_prefix=${corpus}/`, learned, corpus])
