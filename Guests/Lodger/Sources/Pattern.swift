import Linux

/// Bytes which a seed decides: eight at a time, by the steps of a linear congruence (Knuth's
/// constants for 64 bits) whose upper half is mixed into the lower, so that no page repeats.
struct Pattern {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
    }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 33)
    }

    /// Fills a buffer of whole words.
    mutating func fill(_ buffer: UnsafeMutableBufferPointer<UInt64>) {
        for place in buffer.indices { buffer[place] = next() }
    }

    /// Compares a buffer of whole words, and says where it differs first.
    mutating func firstDifference(in buffer: UnsafeMutableBufferPointer<UInt64>) -> Int? {
        var difference: Int?
        for place in buffer.indices where buffer[place] != next() && difference == nil {
            difference = place
        }
        return difference
    }

    /// Writes a file of a pattern, for others to compute the checksum of.
    static func write(path: UnsafePointer<CChar>, megabytes: Int, seed: UInt64) {
        let file = lodger_open(path, O_WRONLY | O_CREAT)
        guard file >= 0 else { failCall("open") }
        let buffer = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: (1 << 20) / 8)
        var pattern = Pattern(seed: seed)
        for _ in 0..<megabytes {
            pattern.fill(buffer)
            sendAll(buffer, to: file)
        }
        guard fsync(file) == 0 else { failCall("fsync") }
        close(file)
    }
}

/// Writes all of a buffer, and goes on after signals.
func sendAll(_ buffer: UnsafeMutableBufferPointer<UInt64>, to descriptor: Int32) {
    var rest = UnsafeRawBufferPointer(buffer)
    while !rest.isEmpty {
        let count = Linux.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 {
            if lodger_error() == EINTR { continue }
            failCall("write")
        }
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
}

/// Reads until a buffer is full, and goes on after signals. Returns the bytes that came before
/// the end of the stream, if it came first.
func receiveAll(_ buffer: UnsafeMutableBufferPointer<UInt64>, from descriptor: Int32) -> Int {
    var rest = UnsafeMutableRawBufferPointer(buffer)
    while !rest.isEmpty {
        let count = read(descriptor, rest.baseAddress, rest.count)
        if count < 0 {
            if lodger_error() == EINTR { continue }
            failCall("read")
        }
        if count == 0 { break }
        rest = UnsafeMutableRawBufferPointer(rebasing: rest.dropFirst(count))
    }
    return buffer.count * 8 - rest.count
}
