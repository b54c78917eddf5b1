/// A digest of all that happens in a simulated run, in its order (FNV-1a, 64 bits, by Fowler, Noll
/// and Vo).
struct RunTrace {
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func note(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            digest = (digest ^ (value >> shift & 0xFF)) &* 0x0000_0100_0000_01B3
        }
    }
}
