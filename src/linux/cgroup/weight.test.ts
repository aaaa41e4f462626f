import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bfqWeight, ioWeightOfBlkio, sharesOfWeight, weightOfShares } from './weight.ts'

describe('processor weight', () => {
  it('has the ends and the defaults of shares', () => {
    for (const [shares, weight] of [
      [2, 1],
      [1024, 100],
      [262144, 10000],
    ] as const) {
      assert.equal(weightOfShares(shares), weight)
      assert.equal(sharesOfWeight(weight), shares)
    }
  })

  it('has the values that runc publishes', () => {
    const pairs = [
      [1, 1],
      [3, 2],
      [2000, 170],
      [262_143, 10_000],
      [262_145, 10_000],
    ] as const
    for (const [shares, weight] of pairs) assert.equal(weightOfShares(shares), weight, `${shares} shares`)
  })

  it('grows with shares, and comes back from them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (weight) => {
        const shares = sharesOfWeight(weight)
        assert.ok(shares >= 2 && shares <= 262_144)
        assert.ok(sharesOfWeight(Math.min(weight + 1, 10_000)) >= shares)
        // Rounded to whole shares, which are coarse at the lower end.
        if (weight > 40) assert.ok(Math.abs(weightOfShares(shares) - weight) <= 1)
      }),
    )
  })
})

describe('block I/O weight', () => {
  it('maps both ends of version 1', () => {
    assert.equal(ioWeightOfBlkio(10), 1)
    assert.equal(ioWeightOfBlkio(1000), 10_000)
  })

  it('ends at 1000 for BFQ', () => {
    assert.equal(bfqWeight(100), 100)
    assert.equal(bfqWeight(10_000), 1000)
  })
})
