import type { Read } from './fields.ts'
import { nonEmpty, refuse, show } from './fields.ts'

/** The version of the runtime specification that Tare follows. */
export const OCI_VERSION = '1.3.0'

/** The oldest that it takes. */
export const OCI_VERSION_MIN = '1.0.0'

/** https://semver.org, version 2.0.0, clause 2, 9 and 10. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*))*)?(?:\+[\da-zA-Z-]+(?:\.[\da-zA-Z-]+)*)?$/

/**
 * `ociVersion`: a semantic version, of the first major one. A newer minor version is taken: engines write down the one
 * that they were built with, whatever of it they use.
 */
export const readOciVersion: Read<string> = (value, at) => {
  const version = nonEmpty(value, at)
  const major =
    SEMVER.exec(version)?.[1] ?? refuse(at, `${show(version)} is no semantic version such as ${OCI_VERSION}`)
  return major === '1' ? version : refuse(at, `${show(version)} is no version 1 of the runtime specification`)
}
