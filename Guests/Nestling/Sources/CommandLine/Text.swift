/// A piece of text in memory that stays, such as the command line.
struct Text {
    let start: UnsafePointer<UInt8>
    let count: Int

    subscript(index: Int) -> UInt8 { start[index] }

    static func == (text: Text, word: StaticString) -> Bool {
        guard text.count == word.utf8CodeUnitCount else { return false }
        for index in 0..<text.count where text[index] != word.utf8Start[index] { return false }
        return true
    }

    /// Whether the text starts with `word`.
    func starts(with word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        return count >= length && Text(start: start, count: length) == word
    }

    /// The first piece up to `separator`, and what follows the separator.
    func split(at separator: UInt8) -> (head: Text, rest: Text?) {
        for index in 0..<count where self[index] == separator {
            return (
                Text(start: start, count: index),
                Text(start: start + index + 1, count: count - index - 1)
            )
        }
        return (self, nil)
    }

    /// A decimal number with an optional suffix K, M or G (powers of 1024). Nil: not a number, or
    /// too large.
    var number: UInt64? {
        var value: UInt64 = 0
        for index in 0..<count {
            let byte = self[index]
            if index > 0 && index == count - 1 && byte >= 65 {
                return scaled(value, by: byte)
            }
            guard byte >= Character.zero && byte <= Character.zero + 9 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            guard !overflow && product < UInt64.max - 9 else { return nil }
            value = product + UInt64(byte - Character.zero)
        }
        return count > 0 ? value : nil
    }

    private func scaled(_ value: UInt64, by suffix: UInt8) -> UInt64? {
        let shift: UInt64
        switch suffix {
        case UInt8(ascii: "K"): shift = 10
        case UInt8(ascii: "M"): shift = 20
        case UInt8(ascii: "G"): shift = 30
        default: return nil
        }
        return value >> (64 - shift) == 0 ? value << shift : nil
    }
}

extension Text {
    /// Calls `body` with each `key:value` of a comma-separated list; false as soon as it refuses
    /// one.
    func forEachField(_ body: (_ key: Text, _ value: Text) -> Bool) -> Bool {
        var rest: Text? = self
        while let current = rest {
            let (field, next) = current.split(at: Character.comma)
            let (key, value) = field.split(at: Character.colon)
            guard let value, body(key, value) else { return false }
            rest = next
        }
        return true
    }
}
