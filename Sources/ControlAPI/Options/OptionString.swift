/// An option's value in Cloud Hypervisor's form `key=value,key=value`, taken apart.
///
/// A value may contain commas between quotes (`path="/a,b"`; the quotes are not part of it) and
/// between brackets (`[a,b]`, which stay). A key without `=` has an empty value.
public struct OptionString: Sendable, Equatable {
    /// The option it belongs to, for errors: `--disk`.
    public let option: String
    /// The keys with their values, in the order given; no key twice.
    public let entries: [OptionEntry]

    /// Takes `text` apart.
    public init(_ text: String, option: String) throws(OptionError) {
        var entries: [OptionEntry] = []
        guard !text.isEmpty else { throw .malformed(option: option, reason: "is empty") }
        for part in try OptionString.split(text, option: option) {
            let (key, value) = OptionString.keyAndValue(part)
            guard !key.isEmpty else {
                throw .malformed(option: option, reason: "has a value without a key: '\(part)'")
            }
            guard !entries.contains(where: { $0.key == key }) else {
                throw .duplicateKey(option: option, key: key)
            }
            entries.append(OptionEntry(option: option, key: key, text: value))
        }
        self.option = option
        self.entries = entries
    }

    /// Whether the key is given.
    public func has(_ key: String) -> Bool {
        entries.contains { $0.key == key }
    }

    /// The values of a list in brackets, or of the one value without; nil when brackets do not
    /// match.
    static func elements(ofList text: String) -> [String]? {
        guard text.hasPrefix("[") else { return text.hasSuffix("]") ? nil : [text] }
        guard text.hasSuffix("]") else { return nil }
        let inner = String(text.dropFirst().dropLast())
        guard !inner.isEmpty else { return [] }
        return try? split(inner, option: "")
    }

    /// Splits at commas that are outside of quotes and brackets, and drops the quotes.
    private static func split(_ text: String, option: String) throws(OptionError) -> [String] {
        var parts: [String] = []
        var part = ""
        var isQuoted = false
        var depth = 0
        for character in text {
            switch character {
            case "\"": isQuoted.toggle()
            case ",", "[", "]":
                if !isQuoted {
                    if character == "[" { depth += 1 }
                    if character == "]" { depth -= 1 }
                    if character == ",", depth == 0 {
                        parts.append(part)
                        part = ""
                        continue
                    }
                }
                part.append(character)
            default: part.append(character)
            }
            if depth < 0 { break }
        }
        guard !isQuoted else { throw .malformed(option: option, reason: "has a quote left open") }
        guard depth == 0 else {
            throw .malformed(option: option, reason: "has brackets that do not match")
        }
        return parts + [part]
    }

    private static func keyAndValue(_ part: String) -> (key: String, value: String) {
        guard let equals = part.firstIndex(of: "=") else { return (part, "") }
        return (String(part[..<equals]), String(part[part.index(after: equals)...]))
    }
}

/// One key of an option string with its value.
public struct OptionEntry: Sendable, Equatable {
    /// The option it belongs to, for errors.
    let option: String
    /// The key.
    public let key: String
    /// The value as written, without quotes.
    public let text: String

    /// The value, read as a type.
    func value<Value: SchemaValue>() throws(OptionError) -> Value {
        guard let value = Value(option: text), !text.isEmpty else {
            throw .wrongValue(
                option: option, key: key, value: text, expected: Value.expectation)
        }
        return value
    }

    func unsupported(_ supported: String) -> OptionError {
        .unsupported(option: option, key: key, supported: supported)
    }
}
