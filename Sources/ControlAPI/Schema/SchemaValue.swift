/// A value that a field can hold: it can be read from JSON and from an option string.
public protocol SchemaValue: Codable, Equatable, Sendable {
    /// What is expected where this type is, as the words after "expected".
    static var expectation: String { get }

    /// The values as option strings write them, where they are few; else none.
    static var optionValues: [String] { get }

    /// Reads the value as option strings write it; nil when it is none of this type.
    init?(option: String)
}

extension SchemaValue {
    /// Too many to list.
    public static var optionValues: [String] { [] }
}

extension Bool: SchemaValue {
    /// JSON's spelling; option strings also take `on` and `off`.
    public static let expectation = "true or false"

    /// The two that people are told of.
    public static let optionValues = ["on", "off"]

    /// Reads `on`, `off`, `true` and `false`.
    public init?(option: String) {
        switch option {
        case "on", "true": self = true
        case "off", "false": self = false
        default: return nil
        }
    }
}

extension String: SchemaValue {
    /// Any text.
    public static let expectation = "a text"

    /// Takes the text as it is.
    public init?(option: String) {
        self = option
    }
}

extension SchemaValue where Self: FixedWidthInteger {
    /// The range of the type.
    public static var expectation: String { "a whole number from \(min) to \(max)" }

    /// Reads decimal digits.
    public init?(option: String) {
        self.init(option, radix: 10)
    }
}

extension UInt8: SchemaValue {}
extension UInt16: SchemaValue {}
extension UInt32: SchemaValue {}
extension UInt64: SchemaValue {}

extension Array: SchemaValue where Element: SchemaValue {
    /// A list of what the element expects.
    public static var expectation: String { "a list, each element \(Element.expectation)" }

    /// Reads `[a,b]`, and a single value without brackets.
    public init?(option: String) {
        guard let texts = OptionString.elements(ofList: option) else { return nil }
        let values = texts.compactMap(Element.init(option:))
        guard values.count == texts.count else { return nil }
        self = values
    }
}

/// A choice between names. JSON has the names as Cloud Hypervisor spells them (`VirtioMem`), option
/// strings in lower case with dashes (`virtio-mem`).
public protocol SchemaChoice:
    SchemaValue, RawRepresentable, CaseIterable, CustomStringConvertible
where RawValue == String {}

extension SchemaChoice {
    /// All names.
    public static var expectation: String {
        "one of \(allCases.map(\.rawValue).joined(separator: ", "))"
    }

    /// All names in lower case, with a dash where JSON has a capital inside.
    public static var optionValues: [String] {
        allCases.map { choice in
            choice.rawValue.reduce(into: "") { name, character in
                if character.isUppercase, name.last?.isLowercase == true { name += "-" }
                name += character.lowercased()
            }
        }
    }

    /// The name in JSON.
    public var description: String { rawValue }

    /// Reads the name in any case, with or without dashes.
    public init?(option: String) {
        let wanted = option.lowercased().filter { $0 != "-" }
        guard let choice = Self.allCases.first(where: { $0.rawValue.lowercased() == wanted }) else {
            return nil
        }
        self = choice
    }
}
