/// One segment of a name in the ACPI namespace: four characters (ACPI 6.5, section 20.2.2).
///
/// Names come from this program only, never from a guest or a user.
struct AMLName: Hashable, ExpressibleByStringLiteral {
    let bytes: [UInt8]

    /// A name of 1 to 4 characters out of A...Z, 0...9 and "_", not beginning with a digit; short
    /// ones are filled up with "_".
    init(_ text: String) {
        let characters = Array(text.utf8)
        let isLead = { (byte: UInt8) in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "_")
        }
        let isDigit = { (byte: UInt8) in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        precondition((1...4).contains(characters.count), "a name has 1 to 4 characters")
        precondition(isLead(characters[0]), "a name begins with a letter")
        precondition(characters.allSatisfy { isLead($0) || isDigit($0) }, "a foreign character")
        let fill = [UInt8](repeating: UInt8(ascii: "_"), count: 4 - characters.count)
        bytes = characters + fill
    }

    init(stringLiteral text: String) {
        self.init(text)
    }

    /// A letter and a number in hexadecimal digits that fill the rest, as in "C01F".
    init(_ letter: Character, number: Int, digits: Int) {
        let text = String(number, radix: 16, uppercase: true)
        let zeros = String(repeating: "0", count: max(0, digits - text.utf8.count))
        self.init("\(letter)\(zeros)\(text)")
    }
}

/// Where something is in the namespace, either from its root or from where the path is written
/// (ACPI 6.5, section 20.2.2).
struct AMLPath: Hashable {
    private let isAbsolute: Bool
    private let segments: [AMLName]

    /// A path from the place where it is written; a single name is searched for upwards from
    /// there.
    init(_ segments: AMLName...) {
        isAbsolute = false
        self.segments = segments
    }

    private init(absolute segments: [AMLName]) {
        isAbsolute = true
        self.segments = segments
    }

    /// A path from the root.
    static func root(_ segments: AMLName...) -> AMLPath { AMLPath(absolute: segments) }

    /// The bytes of the path: a prefix for more than one segment, and the segments.
    var bytes: [UInt8] {
        var bytes: [UInt8] = isAbsolute ? [UInt8(ascii: "\\")] : []
        switch segments.count {
        case 0: bytes.append(0x00)
        case 1: break
        case 2: bytes.append(0x2e)
        default: bytes += [0x2f, UInt8(segments.count)]
        }
        return segments.reduce(into: bytes) { $0 += $1.bytes }
    }
}
