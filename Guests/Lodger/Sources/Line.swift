import Linux

extension StaticString {
    /// The text for the C library, which ends it with a zero.
    var cString: UnsafePointer<CChar> {
        UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}

/// A line of output: words, and figures with a name. It is written at once, so that lines of
/// several programs on one console do not mix.
struct Line {
    private var bytes: [UInt8] = []

    /// Adds a word.
    mutating func add(_ word: StaticString) {
        separate()
        append(word)
    }

    /// Adds `name=number`.
    mutating func add(_ name: StaticString, _ number: Int64) {
        separate()
        append(name)
        bytes.append(UInt8(ascii: "="))
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        var digits: [UInt8] = []
        var rest = number.magnitude
        repeat {
            digits.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes.append(contentsOf: digits.reversed())
    }

    /// Adds `name=` and an Ethernet address.
    mutating func add(_ name: StaticString, address: ArraySlice<UInt8>) {
        separate()
        append(name)
        for (place, byte) in address.enumerated() {
            bytes.append(UInt8(ascii: place == 0 ? "=" : ":"))
            bytes.append(hexadecimalDigit(byte >> 4))
            bytes.append(hexadecimalDigit(byte & 15))
        }
    }

    /// Writes the line to standard output.
    consuming func print() {
        bytes.append(UInt8(ascii: "\n"))
        _ = write(1, bytes, bytes.count)
    }

    private mutating func separate() {
        if !bytes.isEmpty { bytes.append(UInt8(ascii: " ")) }
    }

    private mutating func append(_ text: StaticString) {
        bytes.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

/// Says what is wrong and ends with status 1.
func fail(_ reason: StaticString, _ name: StaticString = "error", _ number: Int64? = nil) -> Never {
    var line = Line()
    line.add("lodger:")
    line.add(reason)
    if let number { line.add(name, number) }
    line.print()
    exit(1)
}

/// Says which system call did not work and ends with status 1.
func failCall(_ call: StaticString) -> Never {
    fail(call, "errno", Int64(lodger_error()))
}
