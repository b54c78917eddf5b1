/// Numbers that look random and always are the same (splitmix64).
///
/// Neighbours must be independent in every bit: a block's number and whether it is read or written
/// come from two numbers in a row.
struct Random {
    private static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= Self.step
        return mixed(state)
    }
}

/// A number that looks random, from any number (the finalizer of splitmix64).
@inline(__always)
func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
}
