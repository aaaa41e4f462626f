// `npm run test:conformance -- [--runtime tare|runc|crun] [--all]`: tries a runtime on test/conformance. With --all also
// on what it is known to do otherwise, which is then to be seen failing.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { values } = parseArgs({ options: { runtime: { type: 'string', default: 'tare' }, all: { type: 'boolean' } } })

const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'test.mjs'), 'test/conformance/'], {
  stdio: 'inherit',
  env: {
    ...process.env,
    TARE_CONFORMANCE_RUNTIME: values.runtime,
    ...(values.all ? { TARE_CONFORMANCE_ALL: '1' } : {}),
  },
})
process.exit(status ?? 1)
