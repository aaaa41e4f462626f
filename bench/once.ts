// Runs the static program (or, for an empty path, the host's own true), so many times: what strace looks at.
import { run } from '../src/index.ts'
import { trueOptions } from './tools.ts'

const [trueProgram = '', times = '1'] = process.argv.slice(2)
for (let time = 0; time < Number(times); time++) {
  const { exitCode } =
    trueProgram === '' ? await run(['/usr/bin/true']) : await run(['/true'], trueOptions(trueProgram))
  if (exitCode !== 0) process.exitCode = 1
}
