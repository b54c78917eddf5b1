/// Where a console of the guest leads.
public enum ConsoleMode: String, SchemaChoice {
    /// There is no such device.
    case off = "Off"
    /// A pseudo terminal of its own, whose path the VMM puts into `file`.
    case pty = "Pty"
    /// The terminal of the VMM.
    case tty = "Tty"
    /// A file, which gets the output.
    case file = "File"
    /// A UNIX socket, on which the VMM listens.
    case socket = "Socket"
    /// Output is dropped.
    case null = "Null"
}

/// `serial`: the 16550 port.
public struct SerialConfig: SchemaObject {
    /// Where it leads.
    public var mode = ConsoleMode.null
    /// Path of the file of mode `file`; of the terminal of mode `pty`, given by the VMM.
    public var file: String?
    /// Path of the socket of mode `socket`.
    public var socket: String?

    /// A port whose output is dropped.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<SerialConfig>] = [
        .value("mode", \.mode),
        .optional("file", \.file),
        .optional("socket", \.socket),
    ]
}

/// `console`: the virtio console.
public struct ConsoleConfig: SchemaObject {
    /// Name of the device, unique in the guest; given by the VMM when unset.
    public var id: String?
    /// Its slot on the PCI bus, 1 to 31; given by the VMM when unset, and kept from then on.
    public var slot: UInt8?
    /// Where it leads.
    public var mode = ConsoleMode.tty
    /// Path of the file of mode `file`; of the terminal of mode `pty`, given by the VMM.
    public var file: String?
    /// Path of the socket of mode `socket`.
    public var socket: String?

    /// A console on the VMM's terminal.
    public init() {}

    /// See `SchemaObject`.
    public static let fields: [Field<ConsoleConfig>] =
        Field.device(id: \.id, slot: \.slot) + [
            .value("mode", \.mode),
            .optional("file", \.file),
            .optional("socket", \.socket),
        ]
}

/// `debug_console`: a port for early output, which Martlet does not have yet.
struct DebugConsoleConfig: SchemaObject {
    static let fields: [Field<DebugConsoleConfig>] = [
        .unsupported("mode", default: ConsoleMode.off),
        .unsupported("file"),
        .unsupported("iobase", default: UInt16(0xe9)),
    ]
}
