/// What can be typed next in an option string. The tables of fields alone say what is offered.
public struct OptionCompletion: Sendable {
    /// One key: what is offered for it.
    fileprivate struct Key {
        let name: String
        /// What `name` and `=` can be followed by; none where it can be anything.
        var values: [String] = []
        /// Whether it stands alone, without `=`.
        var isWord = false
    }

    private let keys: [Key]
    /// Words of which an option string has one at most, such as the targets of a console.
    private let alternatives: [String]

    /// Completes the keys of an object that Martlet supports.
    public init<Object: OptionObject>(of object: Object.Type) {
        keys = Self.keys(of: Object.fields)
        alternatives = []
    }

    /// `--serial`: where a console leads.
    public static let serial = OptionCompletion(
        keys: ConsoleTarget.keyNames, alternatives: ConsoleTarget.keyNames.map(\.name))

    /// `--console`: where a console leads, and the keys of a device.
    public static let console = OptionCompletion(
        keys: ConsoleTarget.keyNames
            + keys(of: Field<ConsoleConfig>.device(id: \.id, slot: \.slot)),
        alternatives: ConsoleTarget.keyNames.map(\.name))

    private init(keys: [Key], alternatives: [String]) {
        self.keys = keys
        self.alternatives = alternatives
    }

    /// What `text` can become, each with all of `text` before the part that is being typed. A key
    /// that was given already is not offered; nothing is offered where any value will do.
    public func candidates(for text: String) -> [String] {
        let start = text.lastIndex(of: ",").map(text.index(after:)) ?? text.startIndex
        let (before, part) = (String(text[..<start]), text[start...])
        let given = before.split(separator: ",").map { String($0.prefix { $0 != "=" }) }
        return keys.flatMap { offer($0, given: given, isValue: part.contains("=")) }
            .filter { $0.hasPrefix(part) }
            .map { before + $0 }
    }

    private func offer(_ key: Key, given: [String], isValue: Bool) -> [String] {
        let rivals = alternatives.contains(key.name) ? alternatives : [key.name]
        guard rivals.allSatisfy({ !given.contains($0) }) else { return [] }
        if isValue { return key.values.map { "\(key.name)=\($0)" } }
        return [key.isWord ? key.name : "\(key.name)="]
    }

    private static func keys<Root>(of fields: [Field<Root>]) -> [Key] {
        fields.filter(\.isSupported).flatMap { field in
            field.optionKeys.map { Key(name: $0, values: field.optionValues) }
        }
    }
}

extension ConsoleTarget {
    /// The targets: those with a path have a `=`.
    fileprivate static var keyNames: [OptionCompletion.Key] {
        keys.map { key in
            let name = key.prefix { $0 != "=" }
            return OptionCompletion.Key(name: String(name), isWord: name.count == key.count)
        }
    }
}
