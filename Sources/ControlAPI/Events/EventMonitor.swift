public import LinuxSystem
import Synchronization

/// Writes what happens to a file or pipe, as a stream of JSON objects each followed by an empty
/// line. It can be used from any thread; it never waits for a reader, and never fails: what cannot
/// be written is dropped and counted.
public final class EventMonitor: Sendable {
    /// Longer events are dropped. It is what a pipe that is ready takes at once (PIPE_BUF).
    static let maximumLength = 4096

    private let output: OwnedDescriptor
    private let start: MonotonicInstant
    private let dropped = Mutex<UInt64>(0)

    /// Writes to where the option says.
    /// - Parameter start: When the VMM started; events tell the time since then.
    public convenience init(
        _ option: EventMonitorOption, start: MonotonicInstant = .now
    ) throws(SystemError) {
        switch option {
        case .path(let path):
            // Without waiting, since the path may be that of a FIFO.
            try self.init(
                OwnedDescriptor(opening: path, [.write, .create, .append, .nonblocking]),
                start: start)
        case .descriptor(let number):
            try self.init(
                OwnedDescriptor(adopting: number, name: "event monitor"), start: start)
        }
    }

    /// Writes to a descriptor.
    public init(_ output: consuming OwnedDescriptor, start: MonotonicInstant = .now) {
        self.output = output
        self.start = start
        // A reader that goes away must not end the VMM.
        BrokenPipeSignal.ignore()
    }

    /// How many events could not be written.
    public var droppedCount: UInt64 { dropped.withLock(\.self) }

    /// Writes an event.
    public func report(_ event: Event) {
        let time = MonotonicInstant.now.nanoseconds(since: start)
        let record = Record(
            timestamp: .init(secs: time / 1_000_000_000, nanos: time % 1_000_000_000),
            source: event.source.rawValue, event: event.name, properties: event.properties)
        let bytes = JSONBody.encode(record, isPretty: true) + Array("\n\n".utf8)
        // Under the lock, so that events are whole.
        dropped.withLock { count in
            if !write(bytes) { count += 1 }
        }
    }

    /// Writes all of the bytes, or nothing.
    private func write(_ bytes: [UInt8]) -> Bool {
        guard bytes.count <= Self.maximumLength else { return false }
        do throws(SystemError) {
            try output.wait(for: .writable, deadline: .now)
            try output.writeAll(bytes)
            return true
        } catch {
            return false
        }
    }

    /// An event as it is written.
    private struct Record: Encodable {
        struct Timestamp: Encodable {
            let secs: UInt64
            let nanos: UInt64
        }

        let timestamp: Timestamp
        let source: String
        let event: String
        let properties: [String: String]

        enum CodingKeys: String, CodingKey {
            case timestamp, source, event, properties
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(timestamp, forKey: .timestamp)
            try container.encode(source, forKey: .source)
            try container.encode(event, forKey: .event)
            // Without properties the key is there, and null.
            try container.encode(properties.isEmpty ? nil : properties, forKey: .properties)
        }
    }
}
