/**
 * The processor weight of version 2 (1 to 10000, default 100) for the shares of version 1 (2 to 262144, default 1024).
 * A curve through both ends and both defaults, the one that runc 1.3.2 and crun 1.23 and later use
 * (github.com/opencontainers/cgroups/pull/20): the exponent of ten is (l² + 125 l) / 612 − 7 / 34 with l = log₂ shares.
 */
export const weightOfShares = (shares: number): number => {
  if (shares <= 2) return 1
  if (shares >= 262144) return 10000
  const l = Math.log2(shares)
  // The small step back keeps exact powers of ten from being rounded up by the last bit of the floating point.
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34) - 1e-9)
}

/** The inverse of {@link weightOfShares}, rounded to the nearest: shares (2 to 262144) for a weight (1 to 10000). */
export const sharesOfWeight = (weight: number): number => {
  if (weight <= 1) return 2
  if (weight >= 10000) return 262144
  const l = (Math.sqrt(125 * 125 + 4 * 612 * (Math.log10(weight) + 7 / 34)) - 125) / 2
  return Math.round(2 ** l)
}

/** Version 2's io.weight (1 to 10000) for a blkio weight of version 1 (10 to 1000): a straight line, as in runc and crun. */
export const ioWeightOfBlkio = (blkio: number): number => 1 + Math.floor(((blkio - 10) * 9999) / 990)

/** A weight for BFQ, which has the same default (100) but ends at 1000. */
export const bfqWeight = (weight: number): number => Math.min(weight, 1000)
