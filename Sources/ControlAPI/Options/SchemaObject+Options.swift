/// An object of the schema that can also be given as an option string.
public protocol OptionObject: SchemaObject {
    /// The option, as a user types it: `--disk`.
    static var optionName: String { get }
}

extension OptionObject {
    /// Reads the object from an option string, such as `path=/d.raw,readonly=on`.
    public init(option text: String) throws(OptionError) {
        try self.init(OptionString(text, option: Self.optionName))
    }

    /// Reads the object from an option string that is taken apart already.
    init(_ options: OptionString) throws(OptionError) {
        self.init()
        for entry in options.entries {
            guard let field = Self.fields.first(where: { $0.optionKeys.contains(entry.key) })
            else {
                throw .unknownKey(
                    option: options.option, key: entry.key,
                    valid: Self.fields.flatMap(\.optionKeys))
            }
            try field.parse(&self, entry)
        }
        for field in Self.fields where field.isRequired {
            guard let key = field.optionKeys.first, !options.has(key) else { continue }
            throw .missingKey(option: options.option, key: key)
        }
    }
}

extension MemoryConfig: OptionObject {
    /// `--memory size=512M,shared=on`.
    public static let optionName = "--memory"
}

extension DiskConfig: OptionObject {
    /// `--disk path=/d.raw,readonly=on`.
    public static let optionName = "--disk"
}

extension NetConfig: OptionObject {
    /// `--net tap=tap0,mac=02:00:00:00:00:01`.
    public static let optionName = "--net"
}

extension RngConfig: OptionObject {
    /// `--rng src=/dev/urandom`.
    public static let optionName = "--rng"
}

extension CpusConfig: OptionObject {
    /// `--cpus boot=2`.
    public static let optionName = "--cpus"

    /// Reads `boot=2`; without `max` there are as many vCPUs at most as from the start.
    public init(option text: String) throws(OptionError) {
        let options = try OptionString(text, option: Self.optionName)
        try self.init(options)
        if !options.has("max") {
            maxVcpus = bootVcpus
        }
    }
}
