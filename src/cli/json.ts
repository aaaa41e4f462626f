/** For JSON.stringify: a key whose value is unknown stays there, as null. */
export const nullable = (_: string, value: unknown): unknown => (value === undefined ? null : value)

/** A value as a command prints it: indented, every key there, with a newline at the end. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, nullable, 2)}\n`
