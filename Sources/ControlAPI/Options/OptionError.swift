/// Why an option string is refused. Each case names the option, such as `--disk`.
public enum OptionError: Error, Equatable, Sendable {
    /// The text cannot be taken apart; `reason` reads after the option's name.
    case malformed(option: String, reason: String)
    /// The option has no such key; `valid` are those that it has.
    case unknownKey(option: String, key: String, valid: [String])
    /// The key is given twice.
    case duplicateKey(option: String, key: String)
    /// The key must be given.
    case missingKey(option: String, key: String)
    /// The value has another type or does not fit.
    case wrongValue(option: String, key: String, value: String, expected: String)
    /// The key is a known one, but Martlet only supports `supported`.
    case unsupported(option: String, key: String, supported: String)
}

extension OptionError: CustomStringConvertible {
    /// One sentence: the option, the key, what is wrong, and what would be right.
    public var description: String {
        switch self {
        case .malformed(let option, let reason):
            "\(option) \(reason)"
        case .unknownKey(let option, let key, let valid):
            "\(option) has no key '\(key)'; valid keys: \(valid.joined(separator: ", "))"
        case .duplicateKey(let option, let key):
            "\(option) has the key '\(key)' twice"
        case .missingKey(let option, let key):
            "\(option) needs the key '\(key)'"
        case .wrongValue(let option, let key, let value, let expected):
            "\(option) has \(key)=\(value), expected \(expected)"
        case .unsupported(let option, let key, let supported):
            "\(option) has '\(key)' at a value that Martlet does not support yet; supported: "
                + supported
        }
    }
}
