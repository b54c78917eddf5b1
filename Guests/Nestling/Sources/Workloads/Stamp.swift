/// 64 bytes that say where they belong, how old they are and who wrote them.
enum Stamp {
    /// How many places for stamps a page has.
    static let places: UInt32 = 4
    private static let words = 8

    /// Where in its page a generation is stamped: at 0, 1344, 2688 or in the last 64 bytes.
    @inline(__always)
    static func place(_ address: UInt64, _ generation: UInt32) -> UInt64 {
        address + UInt64(generation % places) * 1344
    }

    @inline(__always)
    static func write(
        to place: UInt64, address: UInt64, generation: UInt32, processor: Int
    ) {
        let words = pointer(place, to: UInt64.self)
        for index in 0..<Self.words {
            words[index] = word(index, address, generation, processor)
        }
    }

    @inline(__always)
    static func matches(
        at place: UInt64, address: UInt64, generation: UInt32, processor: Int
    ) -> Bool {
        let words = pointer(place, to: UInt64.self)
        var difference: UInt64 = 0
        for index in 0..<Self.words {
            difference |= words[index] ^ word(index, address, generation, processor)
        }
        return difference == 0
    }

    /// Address, generation, vCPU, and five words of a checksum over them, all different.
    @inline(__always)
    private static func word(
        _ index: Int, _ address: UInt64, _ generation: UInt32, _ processor: Int
    ) -> UInt64 {
        switch index {
        case 0: address
        case 1: UInt64(generation)
        case 2: UInt64(processor)
        default:
            (address ^ UInt64(generation) << 40 ^ UInt64(processor) << 32 ^ UInt64(index))
                &* 0x9e37_79b9_7f4a_7c15
        }
    }
}
