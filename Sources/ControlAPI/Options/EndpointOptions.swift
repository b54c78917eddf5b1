/// `--api-socket`: where the VMM listens for its API.
public enum APISocketOption: Equatable, Sendable {
    /// A UNIX socket at a path, created by the VMM.
    case path(String)
    /// A listening UNIX socket that the VMM inherits.
    case descriptor(Int32)

    /// Reads `path=PATH`, `fd=N`, or a bare path.
    public init(option text: String) throws(OptionError) {
        let target = try EndpointTarget(text, option: "--api-socket", acceptsBarePath: true)
        self = target.descriptor.map(Self.descriptor) ?? .path(target.path)
    }
}

/// `--event-monitor`: where the VMM writes its events.
public enum EventMonitorOption: Equatable, Sendable {
    /// A file at a path, created or appended to.
    case path(String)
    /// A descriptor that the VMM inherits.
    case descriptor(Int32)

    /// Reads `path=PATH` or `fd=N`.
    public init(option text: String) throws(OptionError) {
        let target = try EndpointTarget(text, option: "--event-monitor", acceptsBarePath: false)
        self = target.descriptor.map(Self.descriptor) ?? .path(target.path)
    }
}

/// Exactly one of `path` and `fd`.
private struct EndpointTarget {
    var path = ""
    var descriptor: Int32?

    init(_ text: String, option: String, acceptsBarePath: Bool) throws(OptionError) {
        if acceptsBarePath, !text.isEmpty, !text.contains("=") {
            path = text
            return
        }
        let options = try OptionString(text, option: option)
        guard options.entries.count == 1, let entry = options.entries.first else {
            throw .malformed(option: option, reason: "takes either path or fd")
        }
        switch entry.key {
        case "path":
            path = try entry.value()
        case "fd":
            let number: UInt32 = try entry.value()
            guard let number = Int32(exactly: number) else {
                throw .wrongValue(
                    option: option, key: entry.key, value: entry.text,
                    expected: "the number of a descriptor")
            }
            descriptor = number
        default:
            throw .unknownKey(option: option, key: entry.key, valid: ["path", "fd"])
        }
    }
}
