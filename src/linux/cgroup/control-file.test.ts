import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlFileDescriber, controlFiles } from './control-file.ts'

for (const version of [1, 2] as const) {
  test(`the files of version ${version} are each described once, in sentences`, () => {
    const files = controlFiles(version)
    assert.ok(files.length > 50)
    assert.equal(new Set(files.map(({ file }) => file)).size, files.length)
    for (const { file, description } of files) assert.match(description, /^[A-Z].*\.$/, file)
  })
}

test('a file is described by its name, those of huge pages for every size', () => {
  const describe = controlFileDescriber(2)
  assert.deepEqual(describe('pids.max'), {
    file: 'pids.max',
    controller: 'pids',
    unit: 'count',
    key: 'pids',
    unset: 'max',
    description: 'The most processes and threads; no more can be started.',
  })
  const huge = describe('hugetlb.1GB.max')
  assert.equal(huge?.file, 'hugetlb.1GB.max')
  assert.equal(huge?.key, 'hugetlb-1GB')
  assert.equal(huge?.description, 'The most huge pages of 1GB in use, in bytes.')
  assert.equal(describe('hugetlb.x.max'), undefined)
  assert.equal(describe('memory.of_the_future'), undefined)
})

test('block I/O has the name of version 2', () => {
  assert.equal(controlFileDescriber(1)('blkio.throttle.read_bps_device')?.controller, 'io')
})
