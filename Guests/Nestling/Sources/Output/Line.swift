/// One line of output: `nestling <kind> key=value ...`, built without allocation.
///
/// What does not fit is cut off, so that a line is always one line.
struct Line: ~Copyable {
    private(set) var bytes = [512 of UInt8](repeating: 0)
    private(set) var count = 0

    /// Starts a line of the given kind.
    init(_ kind: StaticString) {
        append("nestling ")
        append(kind)
    }

    /// Adds ` key=value`, the value in decimal.
    mutating func add(_ key: StaticString, _ value: UInt64) {
        startValue(key)
        append(decimal: value)
    }

    /// Adds ` key=value`, the value in hexadecimal.
    mutating func add(_ key: StaticString, hexadecimal value: UInt64) {
        startValue(key)
        append("0x")
        append(hexadecimal: value)
    }

    /// Adds ` key=value`, the value a word.
    mutating func add(_ key: StaticString, _ value: StaticString) {
        startValue(key)
        append(value)
    }

    /// Adds ` key=value`, the value a piece of the command line.
    mutating func add(_ key: StaticString, _ value: Text) {
        startValue(key)
        for index in 0..<value.count { append(byte: value[index]) }
    }

    /// Adds a word without a key.
    mutating func add(word: StaticString) {
        append(byte: Character.space)
        append(word)
    }

    /// Ends the line. Room for this byte is always kept.
    mutating func finish() {
        bytes[count] = Character.newline
        count += 1
    }

    private mutating func startValue(_ key: StaticString) {
        append(byte: Character.space)
        append(key)
        append(byte: Character.equals)
    }

    private mutating func append(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { append(byte: text.utf8Start[index]) }
    }

    private mutating func append(byte: UInt8) {
        guard count < 511 else { return }
        bytes[count] = byte
        count += 1
    }

    private mutating func append(decimal value: UInt64) {
        var digits = [20 of UInt8](repeating: 0)
        var first = 20
        var rest = value
        repeat {
            first -= 1
            digits[first] = Character.zero &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        for index in first..<20 { append(byte: digits[index]) }
    }

    private mutating func append(hexadecimal value: UInt64) {
        var shift: UInt64 = 60
        while shift > 0 && value >> shift == 0 { shift -= 4 }
        while true {
            let digit = UInt8(truncatingIfNeeded: value >> shift & 15)
            append(byte: digit < 10 ? Character.zero &+ digit : Character.lowerA &+ digit &- 10)
            if shift == 0 { return }
            shift -= 4
        }
    }
}

/// ASCII, as far as it is needed.
enum Character {
    static let newline: UInt8 = 10
    static let space: UInt8 = 32
    static let comma: UInt8 = 44
    static let dot: UInt8 = 46
    static let slash: UInt8 = 47
    static let zero: UInt8 = 48
    static let colon: UInt8 = 58
    static let equals: UInt8 = 61
    static let lowerA: UInt8 = 97
}
