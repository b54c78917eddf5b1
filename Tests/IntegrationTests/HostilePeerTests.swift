import ControlAPI
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// Peers that speak another version, or nonsense, or stop in the middle.
    @Suite struct HostilePeerTests {
        /// What a connection to a receiver sends before it ends.
        enum Stream: String, CaseIterable, CustomTestStringConvertible {
            case version7, cutStart, hugeConfig, configOfNonsense, memoryFirst, unknownCommand

            var testDescription: String { rawValue }

            var bytes: [UInt8] {
                let start = StartOffer(extensions: nil).request.encoded
                return switch self {
                case .version7:
                    Request(.start, fields: HeaderFields(first: 7)).encoded
                case .cutStart:
                    Array(start.prefix(7))
                case .hugeConfig:
                    start + Request(.config, length: .max).encoded
                case .configOfNonsense:
                    start + Request(.config, length: 4).encoded + [0xff, 0, 1, 2]
                case .memoryFirst:
                    start + Request(.memory, length: 16).encoded + [UInt8](repeating: 1, count: 16)
                case .unknownCommand:
                    start + [UInt8](repeating: 0xee, count: 16)
                }
            }

            /// Whether the receiver takes the peer for a source, so that its wait is over.
            var isSource: Bool { self != .cutStart }
        }

        @Test(arguments: Stream.allCases)
        func receiverOutlivesTheStreamAndThenTakesAGuest(stream: Stream) async throws {
            let lab = try Lab()
            let flight = try await Flight(in: lab)
            let receiver = try flight.startNext()
            let url = "unix:\(lab.path("door"))"
            var reception = try receiver.receive(at: url)
            do {
                let deadline = MonotonicInstant.after(milliseconds: 120_000)
                let socket = try StreamSocket.connect(path: lab.path("door"), deadline: deadline)
                try socket.sendAll(stream.bytes.span, deadline: deadline)
                socket.shutdown(.sending)
                // Until the receiver has closed the connection.
                var answers = [UInt8](repeating: 0, count: 8192)
                var span = answers.mutableSpan
                _ = try? socket.receiveAll(into: &span, deadline: deadline)
            }
            if stream.isSource {
                let error = #expect(throws: HarnessError.self) { try reception.wait() }
                #expect(error?.description.contains("The guest was not received") == true)
                reception = try receiver.receive(at: url)
            }

            try flight.vmm.client.sendMigration(SendMigrationData(destinationURL: url))
            #expect(try await flight.vmm.migrationResult().outcome == .completed)
            try reception.wait()
            try await flight.left(for: receiver)
            try await flight.expectWork()
        }

        /// A receiver that refuses Start, once with and once without extensions, or answers
        /// nonsense.
        @Test(arguments: [[2, 0], [0xee, 0xee], [1]] as [[UInt8]])
        func senderKeepsItsGuest(answer: [UInt8]) async throws {
            let lab = try Lab()
            let flight = try await Flight(in: lab)
            let listener = try StreamListener(path: lab.path("door"))
            try flight.vmm.client.sendMigration(
                SendMigrationData(destinationURL: "unix:\(lab.path("door"))"))
            // A refusal of the offered extensions is followed by a second connection.
            var answered = 0
            try await eventually("the end of the migration\n\(flight.vmm.log)") {
                if let socket = try? listener.accept(deadline: .now) {
                    let deadline = MonotonicInstant.after(milliseconds: 120_000)
                    var start = [UInt8](repeating: 0, count: Request.byteCount)
                    var span = start.mutableSpan
                    _ = try socket.receiveAll(into: &span, deadline: deadline)
                    let rest = answer.count == 2 ? [UInt8](repeating: 0, count: 14) : []
                    try socket.sendAll((answer + rest).span, deadline: deadline)
                    answered += 1
                }
                return try flight.vmm.client.migrationProgress().result != nil
            }

            let result = try await flight.vmm.migrationResult()
            #expect(result.outcome == .failed)
            #expect(result.errors.first?.isEmpty == false)
            #expect(answered == (answer[0] == 2 ? 2 : 1))
            try await flight.expectWork()
        }

        @Test func nobodyListens() async throws {
            let flight = try await Flight(in: Lab())
            let path = flight.lab.path("nobody")

            try flight.vmm.client.sendMigration(SendMigrationData(destinationURL: "unix:\(path)"))
            let result = try await flight.vmm.migrationResult()
            #expect(result.outcome == .failed)
            #expect(result.errors.first?.contains(path) == true)
            try await flight.expectWork()
        }
    }
}
