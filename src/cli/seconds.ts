/** A length of time as docker's --timeout takes it: a number of seconds; or with a unit. */
export const seconds = (text: string): string => (/^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text)
