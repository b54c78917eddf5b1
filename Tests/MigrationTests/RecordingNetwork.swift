import LinuxSystem
import Synchronization
import Transport

/// The host's network, with a recording of all that a source sends and is answered.
final class RecordingNetwork: Network {
    private let host = HostNetwork(allowsPlainTCP: false)
    fileprivate let recording = Mutex(GoldenStream())
    private let connectionCount = Mutex<UInt16>(0)

    /// What was recorded.
    var stream: GoldenStream { recording.withLock { $0 } }

    var now: MonotonicInstant { host.now }

    func sleep(until end: MonotonicInstant, unless cancellation: Cancellation?) {
        host.sleep(until: end, unless: cancellation)
    }

    func wait(
        on event: borrowing EventDescriptor, until end: MonotonicInstant,
        for condition: @escaping @Sendable () -> Bool
    ) -> Bool {
        host.wait(on: event, until: end, for: condition)
    }

    func connect(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> RecordingChannel {
        let channel = try host.connect(to: url, within: limits)
        let number = connectionCount.withLock { count in
            defer { count += 1 }
            return count
        }
        recording.withLock { $0.add(.connected, number) }
        return RecordingChannel(channel, number, self)
    }

    func listen(on url: MigrationURL) throws(TransportError) -> RecordingListener {
        throw .notListening(url)
    }

    func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        try host.spawn(kind, name, body)
    }
}

/// A source does not listen.
final class RecordingListener: ConnectionListener {
    var url: MigrationURL { .unix(path: "") }

    func accept(within limits: OperationLimits) throws(TransportError) -> RecordingChannel {
        throw .notListening(url)
    }

    func close() {}
}

/// A connection whose bytes are recorded, those of the guest's memory as they were when they were
/// sent.
final class RecordingChannel: Channel {
    private let channel: SocketChannel
    private let number: UInt16
    private let network: RecordingNetwork

    init(_ channel: SocketChannel, _ number: UInt16, _ network: RecordingNetwork) {
        self.channel = channel
        self.number = number
        self.network = network
    }

    var peer: String { channel.peer }
    var passesDescriptors: Bool { channel.passesDescriptors }
    var peerHasEnded: Bool? { channel.peerHasEnded }

    func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        let bytes = content.reduce(head) { $0 + $1.copiedBytes() }
        // Before it can be answered.
        network.recording.withLock { $0.add(.source, number, bytes) }
        try channel.send(bytes, within: limits)
    }

    func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor,
        within limits: OperationLimits
    ) throws(TransportError) {
        throw .descriptorMissing(peer: peer)
    }

    func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        try channel.receive(count, into: &buffer, within: limits)
        let bytes = buffer
        network.recording.withLock { $0.add(.destination, number, bytes) }
    }

    func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        var bytes: [UInt8] = []
        for segment in segments {
            try receive(segment.count, into: &bytes, within: limits)
            segment.copy(from: bytes)
        }
    }

    func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        throw .descriptorMissing(peer: peer)
    }

    func close(_ manner: ClosingManner) { channel.close(manner) }
}
