import LinuxSystem
import Testing

@testable import ControlAPI

@Suite struct EventMonitorTests {
    struct Record: Decodable, Equatable {
        struct Timestamp: Decodable, Equatable {
            var secs: UInt64
            var nanos: UInt64
        }

        var timestamp: Timestamp
        var source: String
        var event: String
        var properties: [String: String]?
    }

    /// The events in a text: each is followed by an empty line.
    static func records(_ text: String) throws -> [Record] {
        #expect(text.hasSuffix("}\n\n"))
        return try text.split(separator: "\n\n").map {
            try JSONBody.decode(Record.self, from: Array($0.utf8))
        }
    }

    @Test func eventsAreObjectsFollowedByAnEmptyLine() throws {
        let path = temporaryPath("events")
        defer { removeTemporary(path) }
        let monitor = try EventMonitor(.path(path))
        monitor.report(.vmmStarting)
        monitor.report(.migrationMemoryIteration(3))
        monitor.report(.activated(device: "disk \"0\""))
        let file = try OwnedDescriptor(opening: path)
        let text = String(decoding: try file.read(maximum: 4096), as: UTF8.self)
        let records = try Self.records(text)
        #expect(records.map(\.source) == ["vmm", "vm", "virtio-device"])
        #expect(records.map(\.event) == ["starting", "migration-memory-iteration", "activated"])
        #expect(records.map(\.properties) == [nil, ["id": "3"], ["id": "disk \"0\""]])
        #expect(records.allSatisfy { $0.timestamp.nanos < 1_000_000_000 })
        // Over several lines, with the key there also where there is no value.
        #expect(text.contains("\n  \"properties\" : null"))
        #expect(monitor.droppedCount == 0)
    }

    @Test func timeIsThatSinceTheStart() throws {
        let path = temporaryPath("events")
        defer { removeTemporary(path) }
        let start = MonotonicInstant(
            nanoseconds: MonotonicInstant.now.nanoseconds - 5_000_000_000)
        let monitor = try EventMonitor(.path(path), start: start)
        monitor.report(.booted)
        let file = try OwnedDescriptor(opening: path)
        let text = String(decoding: try file.read(maximum: 4096), as: UTF8.self)
        let seconds = try #require(try Self.records(text).first).timestamp.secs
        #expect((5...60).contains(seconds))
    }

    @Test func fullPipeDropsAndCounts() throws {
        let pair = try StreamSocket.pair(name: "events")
        let monitor = EventMonitor(try pair.second.descriptor.duplicate())
        // More than a socket buffers.
        for _ in 0..<20_000 {
            monitor.report(.booted)
        }
        #expect(monitor.droppedCount > 0)
        #expect(monitor.droppedCount < 20_000)
        withExtendedLifetime(pair.first.descriptor.rawValue) {}
    }

    @Test func readerThatIsGoneDropsAndCounts() throws {
        let monitor = EventMonitor(try PassedDescriptor.withoutReader())
        monitor.report(.booted)
        monitor.report(.paused)
        #expect(monitor.droppedCount == 2)
    }

    @Test func oversizedEventIsDropped() throws {
        let path = temporaryPath("events")
        defer { removeTemporary(path) }
        let monitor = try EventMonitor(.path(path))
        monitor.report(.reset(device: String(repeating: "x", count: 5000)))
        #expect(monitor.droppedCount == 1)
    }

    @Test func eventsOfSeveralThreadsStayWhole() async throws {
        let path = temporaryPath("events")
        defer { removeTemporary(path) }
        let monitor = try EventMonitor(.path(path))
        await withTaskGroup { group in
            for thread in 0..<4 {
                group.addTask {
                    for index in 0..<25 {
                        monitor.report(.activated(device: "\(thread)-\(index)"))
                    }
                }
            }
        }
        let file = try OwnedDescriptor(opening: path)
        let text = String(decoding: try file.read(maximum: 1 << 20), as: UTF8.self)
        let records = try Self.records(text)
        #expect(Set(records.compactMap { $0.properties?["id"] }).count == 100)
    }
}
