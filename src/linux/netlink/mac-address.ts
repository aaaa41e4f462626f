import { InputError } from '../error.ts'

/** Reads `02:42:ac:11:00:02`. Throws {@link InputError}. */
export const parseMac = (text: string): Uint8Array => {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16))
  }
  throw new InputError({
    operation: 'read MAC address',
    target: JSON.stringify(text),
    reason: 'it is not six hexadecimal bytes with colons between them',
  })
}

/** `02:42:ac:11:00:02`; some links have more bytes than six. */
export const formatMac = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
