/// A small generator of numbers from a seed (Steele, Lea and Flood, "Fast splittable pseudorandom
/// number generators", 2014), for simulations that can be repeated.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    /// All that it remembers; the seed before the first number.
    public private(set) var state: UInt64

    /// Starts at a seed, or goes on from a state.
    public init(seed: UInt64) {
        state = seed
    }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
