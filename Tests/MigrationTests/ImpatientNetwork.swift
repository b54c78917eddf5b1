import LinuxSystem
import Transport

/// The host's network for an end that waits for a silent peer no longer than a second, so that
/// tests of such peers need not wait for real limits.
struct ImpatientNetwork: Network {
    private let host = HostNetwork(allowsPlainTCP: false)

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
    ) throws(TransportError) -> ImpatientChannel {
        ImpatientChannel(try host.connect(to: url, within: limits))
    }

    func listen(on url: MigrationURL) throws(TransportError) -> ImpatientListener {
        ImpatientListener(try host.listen(on: url))
    }

    func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        try host.spawn(kind, name, body)
    }
}

/// A listener whose connections are impatient.
final class ImpatientListener: ConnectionListener {
    private let listener: SocketListener

    init(_ listener: SocketListener) { self.listener = listener }

    var url: MigrationURL { listener.url }

    func accept(within limits: OperationLimits) throws(TransportError) -> ImpatientChannel {
        ImpatientChannel(try listener.accept(within: limits))
    }

    func close() { listener.close() }
}

/// A connection whose idle limit is a second.
final class ImpatientChannel: Channel {
    private let channel: SocketChannel

    init(_ channel: SocketChannel) { self.channel = channel }

    var peer: String { channel.peer }
    var passesDescriptors: Bool { channel.passesDescriptors }
    var peerHasEnded: Bool? { channel.peerHasEnded }
    var refusal: String? { channel.refusal }

    private func shortened(_ limits: OperationLimits) -> OperationLimits {
        var limits = limits
        limits.idleSeconds = 1
        return limits
    }

    func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        try channel.send(head, content, within: shortened(limits))
    }

    func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor,
        within limits: OperationLimits
    ) throws(TransportError) {
        try channel.send(bytes, with: descriptor, within: shortened(limits))
    }

    func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        try channel.receive(count, into: &buffer, within: shortened(limits))
    }

    func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        try channel.receive(into: segments, within: shortened(limits))
    }

    func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        try channel.receiveDescriptor(with: count, into: &buffer, within: shortened(limits))
    }

    func close(_ manner: ClosingManner) { channel.close(manner) }
}
