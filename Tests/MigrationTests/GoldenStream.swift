import FoundationEssentials

/// A migration that was recorded: what each end sent on which connection, in the order in which the
/// source saw it.
///
/// The file begins with 8 bytes, `MLSTRM01`. Each event is 7 bytes - what (u8), the connection (u16,
/// from 0), how many bytes follow (u32), little-endian - and those bytes.
struct GoldenStream: Equatable {
    /// What happened.
    enum Kind: UInt8 {
        /// The source made the connection.
        case connected = 1
        /// The source sent these bytes.
        case source = 2
        /// The destination answered these bytes.
        case destination = 3
        /// At the end: the guest's memory as it was when it stood still, as a digest of 8 bytes.
        case memory = 4
    }

    struct Event: Equatable {
        var kind: Kind
        var connection: UInt16
        var bytes: [UInt8]
    }

    var events: [Event] = []

    private static let magic = Array("MLSTRM01".utf8)

    init() {}

    /// A recording from its file; nil when it is none.
    init?(decoding bytes: [UInt8]) {
        guard bytes.starts(with: Self.magic) else { return nil }
        var rest = bytes.dropFirst(Self.magic.count)
        while !rest.isEmpty {
            guard rest.count >= 7, let kind = Kind(rawValue: rest[rest.startIndex]) else {
                return nil
            }
            func number(_ range: Range<Int>) -> Int {
                range.reversed().reduce(0) { $0 << 8 | Int(rest[rest.startIndex + $1]) }
            }
            let count = number(3..<7)
            guard rest.count >= 7 + count else { return nil }
            events.append(
                Event(
                    kind: kind, connection: UInt16(number(1..<3)),
                    bytes: Array(rest.dropFirst(7).prefix(count))))
            rest = rest.dropFirst(7 + count)
        }
    }

    /// The file.
    var encoded: [UInt8] {
        events.reduce(into: Self.magic) { file, event in
            file.append(event.kind.rawValue)
            for shift in [0, 8] {
                file.append(UInt8(truncatingIfNeeded: event.connection >> shift))
            }
            for shift in [0, 8, 16, 24] {
                file.append(UInt8(truncatingIfNeeded: event.bytes.count >> shift))
            }
            file += event.bytes
        }
    }

    /// Adds what happened; what one end sends without a pause is one event.
    mutating func add(_ kind: Kind, _ connection: UInt16, _ bytes: [UInt8] = []) {
        if let last = events.indices.last, events[last].kind == kind,
            events[last].connection == connection, kind != .connected
        {
            events[last].bytes += bytes
        } else {
            events.append(Event(kind: kind, connection: connection, bytes: bytes))
        }
    }
}

extension GoldenStream {
    /// Where recordings are kept.
    private static let folder: URL = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Golden", directoryHint: .isDirectory)

    /// The names of all recordings.
    static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .filter { $0.hasSuffix(".stream") }
    }

    /// The recording of this name.
    init(named name: String) throws {
        let bytes = [UInt8](try Data(contentsOf: Self.folder.appending(path: name)))
        guard let stream = GoldenStream(decoding: bytes) else {
            throw CocoaError(.fileReadCorruptFile)
        }
        self = stream
    }

    /// Keeps the recording under this name.
    func write(named name: String) throws {
        try FileManager.default.createDirectory(
            at: Self.folder, withIntermediateDirectories: true)
        try Data(encoded).write(to: Self.folder.appending(path: name))
    }
}
