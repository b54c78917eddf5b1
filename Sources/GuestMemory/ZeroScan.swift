internal import Glibc
public import LinuxSystem

extension MemorySegment {
    /// The number of pages in which this segment and another of the same length differ. Neither
    /// may be written meanwhile.
    public func differingPages(from other: MemorySegment) -> Int {
        let length = min(count, other.count)
        var differing = 0
        for offset in stride(from: 0, to: length, by: Int(trackedPageSize)) {
            let size = min(Int(trackedPageSize), length - offset)
            // SAFETY: both runs end inside their segments.
            let isEqual = unsafe memcmp(baseAddress + offset, other.baseAddress + offset, size) == 0
            if !isEqual { differing += 1 }
        }
        return differing
    }

    /// Whether all bytes are zero.
    ///
    /// One page is the usual length. It runs at memory speed: a look at the first word ends it
    /// early for most pages with contents, then eight words are or'ed at a time. A guest may
    /// write meanwhile; then its page is dirty again and any answer is right.
    @inlinable
    @inline(__always)
    public var isZero: Bool {
        let stride = MemoryLayout<SIMD8<UInt64>>.size
        let blocks = count / stride
        var offset = 0
        // SAFETY: every load ends inside `count`; loads of guest memory are of integers, for
        // which each bit pattern is a value.
        if blocks > 0, unsafe baseAddress.loadUnaligned(as: UInt64.self) != 0 { return false }
        for _ in 0..<(blocks / 4) {
            let a = unsafe baseAddress.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
            let b = unsafe baseAddress.loadUnaligned(
                fromByteOffset: offset + stride, as: SIMD8<UInt64>.self)
            let c = unsafe baseAddress.loadUnaligned(
                fromByteOffset: offset + 2 * stride, as: SIMD8<UInt64>.self)
            let d = unsafe baseAddress.loadUnaligned(
                fromByteOffset: offset + 3 * stride, as: SIMD8<UInt64>.self)
            // Halved by hand: a comparison of the whole vector is compiled lane by lane.
            let eight = (a | b) | (c | d)
            let four = eight.lowHalf | eight.highHalf
            let two = four.lowHalf | four.highHalf
            if two[0] | two[1] != 0 { return false }
            offset += 4 * stride
        }
        while offset < count {
            if unsafe baseAddress.load(fromByteOffset: offset, as: UInt8.self) != 0 { return false }
            offset += 1
        }
        return true
    }
}
