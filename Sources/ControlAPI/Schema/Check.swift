/// Checks that several objects of the configuration need.
enum Check {
    /// A path that can be given to the kernel.
    static func path(_ path: String, at field: String) throws(SchemaError) {
        guard !path.isEmpty else { throw .invalid(path: field, reason: "is empty") }
        try text(path, at: field)
    }

    /// A text that does not end early as seen by the kernel or the guest.
    static func text(_ text: String, at field: String) throws(SchemaError) {
        guard !text.utf8.contains(0) else {
            throw .invalid(path: field, reason: "contains a NUL character")
        }
    }

    /// The name of a device: short and printable, since it stands in logs, events and state.
    static func identifier(_ id: String, at field: String) throws(SchemaError) {
        let isPrintable = id.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
        guard (1...64).contains(id.utf8.count), isPrintable else {
            throw .invalid(
                path: field, reason: "must be 1 to 64 bytes without spaces and control characters")
        }
    }

    /// A virtqueue's size: the limits are those of a split queue.
    static func queueSize(_ size: UInt16, at field: String) throws(SchemaError) {
        guard size.nonzeroBitCount == 1, size <= 32768 else {
            throw .invalid(
                path: field, reason: "must be a power of two up to 32768, not \(size)")
        }
    }

    /// A console's file and socket are there when its mode asks for them, and only then. That of a
    /// terminal is what the VMM has written there, perhaps another VMM.
    static func console(
        _ mode: ConsoleMode, file: String?, socket: String?, at field: String
    ) throws(SchemaError) {
        switch (mode, file) {
        case (.file, let file?): try path(file, at: "\(field).file")
        case (.file, nil): throw .missing(path: "\(field).file")
        case (.pty, let file?): try text(file, at: "\(field).file")
        case (_, nil): break
        case (_, _?): throw .invalid(path: "\(field).file", reason: "needs mode File")
        }
        switch (mode, socket) {
        case (.socket, let socket?): try path(socket, at: "\(field).socket")
        case (.socket, nil): throw .missing(path: "\(field).socket")
        case (_, nil): break
        case (_, _?): throw .invalid(path: "\(field).socket", reason: "needs mode Socket")
        }
    }

    /// Six octets in hexadecimal between colons, not all zero, group bit clear.
    static func isUnicastMAC(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let octets = parts.compactMap { part in
            part.utf8.count == 2 && part.allSatisfy(\.isHexDigit) ? UInt8(part, radix: 16) : nil
        }
        guard parts.count == 6, octets.count == 6, let first = octets.first else { return false }
        return first & 1 == 0 && octets.contains { $0 != 0 }
    }
}
