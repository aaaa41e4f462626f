import assert from 'node:assert/strict'
import { test } from 'node:test'
import { engineError } from './failure.ts'

const failed = (...lines: readonly string[]): readonly [code: string, message: string] => {
  const { code, message } = engineError('debian:bookworm', 'mmdebstrap', lines, 'ended with status 1')
  return [code, message]
}

const TABLE: readonly (readonly [code: string, line: string, message: RegExp])[] = [
  ['ENOSPC', 'E: Write error - write (28: No space left on device)', /: ENOSPC \(no space left on device\)\nMake room/],
  ['ENOSPC', "E: You don't have enough free space in /srv/box/var/cache/apt/archives/.", /ENOSPC/],
  [
    'ERR_TARE_SIGNATURE',
    "W: GPG error: http://deb.debian.org/debian bookworm InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 6ED0E7B82643E131",
    /not signed by a key that is trusted here \(NO_PUBKEY 6ED0E7B82643E131\)/,
  ],
  [
    'ERR_TARE_HASH',
    'E: Failed to fetch http://x/bash.deb  Hash Sum mismatch',
    /not the one that the signed release names/,
  ],
  ['ERR_TARE_PACKAGE', 'E: Unable to locate package nosuch', /has no package nosuch\n/],
  ['ERR_TARE_PACKAGE', "E: Couldn't find these debs: nosuch other", /has no package nosuch other\n/],
  [
    'ERR_TARE_SUITE',
    'E: Failed to fetch http://x/dists/y/InRelease  404  Not Found [IP: 10.0.0.1 80]',
    /no such release/,
  ],
  [
    'ERR_TARE_MIRROR',
    "E: Temporary failure resolving 'nosuch.invalid'",
    /out of reach \(Temporary failure resolving 'nosuch/,
  ],
  [
    'ERR_TARE_MIRROR',
    'E: Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)',
    /out of reach/,
  ],
  ['ERR_TARE_DEPENDENCY', 'E: Unable to correct problems, you have held broken packages.', /need others/],
  [
    'ERR_TARE_BOOTSTRAP',
    'E: something else\nE: mmdebstrap failed to run',
    /: something else\nThat is what mmdebstrap says/,
  ],
  [
    'ERR_TARE_BOOTSTRAP',
    'dpkg: error processing package x\ndpkg: warning: ignoring',
    /: dpkg: error processing package x\nThat is/,
  ],
  ['ERR_TARE_BOOTSTRAP', 'I: all was well', /: mmdebstrap ended with status 1\n/],
]

test('what engines say when they fail, in our words', () => {
  for (const [code, text, message] of TABLE) {
    const found = failed('I: running apt-get update...', ...text.split('\n'))
    assert.equal(found[0], code, text)
    assert.match(found[1], message)
    assert.match(found[1], /^cannot bootstrap debian:bookworm: /)
  }
})
