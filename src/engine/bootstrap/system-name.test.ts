import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InputError } from '../../linux/error.ts'
import { parseSystemName } from './system-name.ts'

test('a system by name and by number', () => {
  assert.deepEqual(parseSystemName('debian:bookworm'), { distribution: 'debian', suite: 'bookworm' })
  assert.deepEqual(parseSystemName('debian:12'), { distribution: 'debian', suite: 'bookworm' })
  assert.deepEqual(parseSystemName('Ubuntu:22.04'), { distribution: 'ubuntu', suite: 'jammy' })
  assert.deepEqual(parseSystemName('fedora:40'), { distribution: 'fedora', suite: '40' })
  assert.deepEqual(parseSystemName('fedora:rawhide'), { distribution: 'fedora', suite: 'rawhide' })
})

test('what is wrong is named, with what was probably meant', () => {
  const wrong = (text: string, message: RegExp): void => {
    assert.throws(
      () => parseSystemName(text),
      (error) => error instanceof InputError && message.test(error.message),
    )
  }
  wrong('debain:bookworm', /no such distribution here\nDid you mean debian\?/)
  wrong('plan9:4', /no such distribution here\nThere is debian, ubuntu, fedora\./)
  wrong('debian', /which release\nWrite debian:bookworm\./)
  wrong('debian:', /which release/)
  wrong('debian:12:13', /which release/)
  wrong('debian:bookwrm', /Did you mean debian:bookworm\?/)
  wrong('debian:toString', /no such release/)
  wrong('toString:12', /no such distribution/)
  wrong('fedora:forty', /There is rawhide and numbers/)
})

test('any suite that a mirror may have, but nothing that leads elsewhere', () => {
  assert.equal(parseSystemName('debian:duke', { anySuite: true }).suite, 'duke')
  for (const text of ['debian:../x', 'debian:a/b', 'debian:-x', 'debian:.'])
    assert.throws(() => parseSystemName(text, { anySuite: true }), InputError)
  fc.assert(
    fc.property(fc.string(), (suite) => {
      try {
        assert.match(parseSystemName(`debian:${suite}`, { anySuite: true }).suite, /^[a-z\d][a-z\d.-]*$/)
      } catch (error) {
        assert.ok(error instanceof InputError)
      }
    }),
  )
})
