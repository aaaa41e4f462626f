/** Is told of what went wrong without anything following from it: a poststop hook that fails, a limit that no kernel has. */
export type Warn = (error: Error) => void
