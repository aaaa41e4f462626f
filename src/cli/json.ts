/** For JSON.stringify: a key whose value is unknown stays there, as null. */
export const nullable = (_: string, value: unknown): unknown => (value === undefined ? null : value)
