import Harness
import LinuxSystem
import Synchronization
import Testing
import Transport

@testable import TransportTLS

/// Peers that take their time for the handshake. In the base protocol's implementation the
/// handshake of a further connection has no limit and runs in the accepting thread: number 24 in
/// the list of its weaknesses.
@Suite struct SlowHandshakeTests {
    /// All connections of a migration with four for memory, at once, beside ones that drip.
    @Test func drippingSourcesDelayNoOtherConnection() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let drippers = try (0..<8).map { _ in try Dripper(connectingTo: listener.url) }
        let failures = Mutex<[any Error]>([])

        let sources = try (0..<5).map { number in
            try WorkerThread(name: "source") { _ in
                do {
                    let channel = try ends.client.connect(
                        to: listener.url, within: OperationLimits())
                    var answer: [UInt8] = []
                    try channel.send([UInt8(number)], within: OperationLimits())
                    try channel.receive(1, into: &answer, within: OperationLimits())
                    #expect(answer == [UInt8(number)])
                } catch {
                    failures.withLock { $0.append(error) }
                }
            }
        }
        for _ in sources {
            let channel = try listener.accept(
                within: OperationLimits(deadline: .after(milliseconds: 120_000)))
            var first: [UInt8] = []
            try channel.receive(1, into: &first, within: OperationLimits())
            try channel.send(first, within: OperationLimits())
        }
        for source in sources { source.join() }

        #expect(failures.withLock { $0.isEmpty }, "\(failures.withLock { $0 })")
        // The others came first: had a source had to wait for only one of them, its own time would
        // have been over. They are given up in the end, although none was ever silent.
        #expect(drippers.allSatisfy { $0.byteCount > 0 })
        // A dripper that ends before would be reported as one that hung up.
        try withExtendedLifetime(drippers) {
            let report = try ends.reports.first()
            #expect(report.contains("within \(TLSChannel.handshakeSeconds) s"), "\(report)")
        }
    }

    @Test func drippingDestinationIsGivenUp() throws {
        let ends = try TLSEnds(server: nil, client: Certificates.good.get())
        let listener = try HostNetwork(allowsPlainTCP: false).listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let dripper = try Dripper(acceptingOn: listener)

        let error = ends.sourceError(at: listener.url)

        #expect(
            error
                == .tls(
                    .slowHandshake(
                        peer: "\(listener.url)", seconds: TLSChannel.handshakeSeconds)))
        #expect(dripper.byteCount > 0)
    }

    @Test func cancellationEndsAHandshake() throws {
        let ends = try TLSEnds(server: nil, client: Certificates.good.get())
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let cancellation = try Cancellation(graceNanoseconds: 0)
        let destination = try WorkerThread(name: "destination") { _ in
            // The source has begun, and waits for an answer that will not come.
            let channel = try? listener.accept(within: OperationLimits())
            var first: [UInt8] = []
            try? channel?.receive(2, into: &first, within: OperationLimits())
            cancellation.request("enough")
            _ = channel
        }

        #expect(throws: TransportError.cancelled(reason: "enough")) {
            try ends.client.connect(
                to: listener.url, within: OperationLimits(cancellation: cancellation))
        }
        destination.join()
    }
}

/// A peer that begins a handshake and then says a byte now and then, so that it is never silent
/// for long, until the other end goes or its owner does.
private final class Dripper: Sendable {
    private let sent: Progress
    private let thread: WorkerThread

    private final class Progress: Sendable {
        let count = Mutex(0)
    }

    /// A record that holds a handshake message of 8 KiB (RFC 8446 section 5.1), of which the rest
    /// never comes.
    private static let start: [UInt8] = [22, 3, 1, 0x20, 0x00]

    var byteCount: Int { sent.count.withLock { $0 } }

    init(connectingTo url: MigrationURL) throws {
        let progress = Progress()
        let channel = try HostNetwork(allowsPlainTCP: false).connect(
            to: url, within: OperationLimits())
        sent = progress
        thread = try WorkerThread(name: "dripper") { stop in
            Self.drip(into: channel, progress, until: stop)
        }
    }

    init(acceptingOn listener: SocketListener) throws {
        let progress = Progress()
        sent = progress
        thread = try WorkerThread(name: "dripper") { stop in
            guard let channel = try? listener.accept(within: OperationLimits()) else { return }
            Self.drip(into: channel, progress, until: stop)
        }
    }

    private static func drip(
        into channel: SocketChannel, _ progress: Progress, until stop: borrowing EventDescriptor
    ) {
        // What the other end says meanwhile is no answer that would end this.
        var limits = OperationLimits()
        limits.expectsAnswers = true
        var bytes = start
        while true {
            guard (try? channel.send(bytes, within: limits)) != nil else { return }
            progress.count.withLock { $0 += bytes.count }
            bytes = [0]
            do {
                try stop.wait(deadline: .after(milliseconds: 50))
                return
            } catch {
                // The time for the next byte.
            }
        }
    }
}
