public import LinuxSystem

/// What a guest has written to its serial port so far, followed as its file grows.
///
/// Two VMMs that hold the same guest one after the other write to files of their own; each has
/// its log.
public struct SerialLog: ~Copyable, Sendable {
    private let file: OwnedDescriptor
    private var unread: [UInt8] = []

    /// Follows a file from its beginning (`--serial file=...`).
    public init(path: String) throws(SystemError) {
        file = try OwnedDescriptor(opening: path)
    }

    /// The complete lines of Nestling that came since the last call; other lines are left out.
    public mutating func newLines() throws(SystemError) -> [GuestLine] {
        while true {
            let bytes = try file.read(maximum: 65536)
            if bytes.isEmpty { break }
            unread += bytes
        }
        guard let end = unread.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        let text = String(decoding: unread[...end], as: UTF8.self)
        unread.removeSubrange(...end)
        return text.split(whereSeparator: \.isNewline).compactMap { GuestLine($0) }
    }
}
