extension SerialConfig {
    /// Reads `--serial`: `off`, `null`, `tty`, `pty`, `file=PATH` or `socket=PATH`.
    public init(option text: String) throws(OptionError) {
        self.init()
        let target = try ConsoleTarget(OptionString(text, option: "--serial"))
        mode = target.mode
        file = target.file
        socket = target.socket
        if let other = target.others.first {
            throw .unknownKey(option: "--serial", key: other.key, valid: ConsoleTarget.keys)
        }
    }
}

extension ConsoleConfig: OptionObject {
    /// `--console off`.
    public static let optionName = "--console"

    /// Reads `--console`: `off`, `null`, `tty`, `pty`, `file=PATH` or `socket=PATH`, and after it
    /// the keys of a device, such as `id=con0`.
    public init(option text: String) throws(OptionError) {
        let target = try ConsoleTarget(OptionString(text, option: Self.optionName))
        self.init()
        let fields = Field<ConsoleConfig>.device(id: \.id, slot: \.slot)
        for entry in target.others {
            guard let field = fields.first(where: { $0.key == entry.key }) else {
                throw .unknownKey(
                    option: Self.optionName, key: entry.key,
                    valid: ConsoleTarget.keys + fields.map(\.key))
            }
            try field.parse(&self, entry)
        }
        mode = target.mode
        file = target.file
        socket = target.socket
    }
}

/// Where a console leads, as an option string says it: a word, or a word with a path.
struct ConsoleTarget {
    static let keys = ["off", "null", "tty", "pty", "file=PATH", "socket=PATH"]

    var mode: ConsoleMode
    var file: String?
    var socket: String?
    /// What else the option string has.
    var others: [OptionEntry] = []

    init(_ options: OptionString) throws(OptionError) {
        var mode: ConsoleMode?
        for entry in options.entries {
            guard let named = ConsoleMode(option: entry.key) else {
                others.append(entry)
                continue
            }
            guard mode == nil else {
                throw .malformed(option: options.option, reason: "names two targets")
            }
            guard (named == .file || named == .socket) != entry.text.isEmpty else {
                throw .wrongValue(
                    option: options.option, key: entry.key, value: entry.text,
                    expected: Self.keys.joined(separator: ", "))
            }
            mode = named
            file = named == .file ? entry.text : nil
            socket = named == .socket ? entry.text : nil
        }
        guard let mode else {
            throw .malformed(
                option: options.option,
                reason: "names no target; valid: \(Self.keys.joined(separator: ", "))")
        }
        self.mode = mode
    }
}
