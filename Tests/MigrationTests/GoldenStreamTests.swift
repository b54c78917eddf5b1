import GuestMemory
import LinuxSystem
import Logging
import Machine
import Migration
import Testing
import Transport

/// Streams that earlier sources sent must be accepted by all later destinations, with the same
/// answers. `make golden` records those of this version anew, which is right only until it is
/// released: see "Versions" in docs/protocol.md.
@Suite struct GoldenStreamTests {
    /// Which version records.
    static let version = "0.1.0"

    @Test(arguments: try GoldenStream.names())
    func recordedSourceIsTakenWithTheSameAnswers(name: String) throws {
        let stream = try GoldenStream(named: name)
        let ends = try TwoEnds(temporarySocket("golden"), layout: GoldenSource.layout)
        var peers: [UInt16: ScriptedPeer] = [:]
        var digest: [UInt8] = []

        for (index, event) in stream.events.enumerated() {
            switch event.kind {
            case .connected: peers[event.connection] = try ends.scriptedSource()
            case .source: try peers[event.connection]?.send(event.bytes)
            case .destination:
                let answer = try peers[event.connection]?.receive(event.bytes.count)
                #expect(answer == event.bytes, "\(name), event \(index)")
            case .memory: digest = event.bytes
            }
        }

        #expect(try ends.destinationResult() == (name.contains("paused") ? .paused : .running))
        let memory = try #require(ends.arrivedMemory)
        #expect(GoldenSource.digest(of: memory) == digest, "\(name)")
        for peer in peers.values { peer.channel.close(.abrupt) }
    }

    @Test func eachKindOfSourceOfThisVersionIsRecorded() throws {
        let names = try GoldenStream.names()

        for source in GoldenSource.all {
            #expect(names.contains("\(Self.version)-\(source.name).stream"))
        }
    }

    @Test func recordingIsReadAsItWasWritten() throws {
        var stream = GoldenStream()
        stream.add(.connected, 0)
        stream.add(.source, 0, [1, 2])
        stream.add(.source, 0, [3])
        stream.add(.destination, 256, [])

        #expect(stream.events.count == 3)
        #expect(GoldenStream(decoding: stream.encoded) == stream)
        #expect(GoldenStream(decoding: stream.encoded.dropLast()) == nil)
    }

    @Test(
        .enabled(if: number(inEnvironment: "MARTLET_RECORD_STREAMS") != nil, "`make golden` does"),
        arguments: GoldenSource.all)
    func record(source: GoldenSource) throws {
        try source.record().write(named: "\(Self.version)-\(source.name).stream")
    }
}

/// A source whose stream is recorded: small, with a guest that writes meanwhile.
struct GoldenSource: Sendable, CustomTestStringConvertible {
    var name: String
    var connections = 1
    var isPaused = false
    var usesBaseProtocol = false

    static let all = [
        GoldenSource(name: "base", usesBaseProtocol: true),
        GoldenSource(name: "base-paused", isPaused: true, usesBaseProtocol: true),
        GoldenSource(name: "base-connections", connections: 2, usesBaseProtocol: true),
        GoldenSource(name: "martlet"),
        GoldenSource(name: "martlet-paused", isPaused: true),
        GoldenSource(name: "martlet-connections", connections: 2),
    ]

    static let layout = [
        RegionLayout(slot: 0, start: GuestAddress(0), size: 16 * 4096, fileOffset: 0),
        RegionLayout(
            slot: 3, start: GuestAddress(4 << 30), size: 4 * 4096, fileOffset: 16 * 4096),
    ]

    var testDescription: String { name }

    /// Moves a guest to a destination of this version and keeps what was said.
    func record() throws -> GoldenStream {
        let network = RecordingNetwork()
        let ends = try TwoEnds(
            temporarySocket("record"), layout: Self.layout,
            workload: SimulatedGuest.Workload(
                pagesPerSecond: 2000, hotPages: 6, stateBytes: 300))
        let memory = ends.source.memory
        for page in 0..<5 as Range<UInt64> {
            try memory.store(page + 1, at: GuestAddress(page * 4096 + 64))
        }
        try memory.store(UInt64(42), at: GuestAddress((4 << 30) + 4096))
        var options = MigrationOptions(destination: ends.listener.url)
        options.connections = connections
        options.offersExtensions = !usesBaseProtocol
        let migration = OutgoingMigration<SimulatedGuest, RecordingNetwork>(
            options: options, network: network, control: ends.sourceControl,
            logger: Logger(label: "test.source", factory: { _ in SwiftLogNoOpLogHandler() }))
        let guest: MovableGuest<SimulatedGuest>
        if isPaused {
            guest = .paused(PausedMachine(stopped: ends.source))
        } else {
            try ends.source.start()
            guest = .running(VirtualMachine(started: ends.source))
        }
        let clock = try SimulatedClock(ends.source)
        let outcome = migration.run(guest)
        clock.stop()
        guard case .moved = consume outcome else {
            throw SystemError("record", name, .notSupported)
        }
        var stream = network.stream
        stream.add(.memory, 0, Self.digest(of: memory))
        return stream
    }

    /// A digest of all memory (FNV-1a, 64 bits).
    static func digest(of memory: GuestRAM) -> [UInt8] {
        var digest: UInt64 = 0xCBF2_9CE4_8422_2325
        for region in memory.regions {
            for byte in region.segment.copiedBytes() {
                digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            }
        }
        return (0..<8).map { UInt8(truncatingIfNeeded: digest >> ($0 * 8)) }
    }
}
