import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFibTrie, parseIfInet6 } from './local-addresses.ts'

const TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.88.0.0/16 2 0 2
        +-- 10.88.0.0/28 2 0 2
           |-- 10.88.0.0
              /16 link UNICAST
           |-- 10.88.0.7
              /32 host LOCAL
        |-- 10.88.255.255
           /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
Local:
     |-- 10.88.0.7
        /32 host LOCAL
`

test('addresses of version 4: each once, without the loopback', () => {
  assert.deepEqual(parseFibTrie(TRIE), ['10.88.0.7'])
  assert.deepEqual(parseFibTrie(''), [])
})

test('addresses of version 6: those of global scope, as RFC 5952 writes them', () => {
  const line = (hex: string, scope: string): string => `${hex} 02 40 ${scope} 80     eth0\n`
  const text =
    line('00000000000000000000000000000001', '10') +
    line('fe80000000000000000000fffe000001', '20') +
    line('fd000000000000000000000000000002', '00') +
    line('20010db8000000010000000000000000', '00') +
    line('20010db8000100020003000400050006', '00')
  assert.deepEqual(parseIfInet6(text), ['fd00::2', '2001:db8:0:1::', '2001:db8:1:2:3:4:5:6'])
})
