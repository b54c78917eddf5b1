public import LinuxSystem

/// A reliable stream of bytes to one peer, and with some transports of descriptors.
///
/// The engines are generic over it, so that their loops call the transport directly. One thread
/// sends and one receives at a time; `close` and the cancellation in the limits may come from any
/// thread. After an error the position in the stream is unknown: only `close` is left, except
/// after `answeredEarly`, when the answer can still be read.
public protocol Channel: AnyObject, Sendable {
    /// Who is at the other end, for messages.
    var peer: String { get }

    /// Whether descriptors can be passed.
    var passesDescriptors: Bool { get }

    /// Sends all of `head`, then all bytes of `content`, without copying the latter.
    func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError)

    /// Sends bytes, at least one, and with the first of them a descriptor, which stays the
    /// caller's.
    func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor, within limits: OperationLimits
    ) throws(TransportError)

    /// Receives exactly `count` bytes into the buffer, which has that many afterwards.
    func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError)

    /// Receives exactly as many bytes as the segments have, straight into them.
    func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError)

    /// Receives exactly `count` bytes and the one descriptor that came with them.
    func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor

    /// Whether the process at the other end has ended; nil where that cannot be known.
    var peerHasEnded: Bool? { get }

    /// Why the peer, although it was allowed to connect, must be turned away with an answer that
    /// says so; nil for a welcome one.
    var refusal: String? { get }

    /// Ends the stream in both directions; operations under way fail. Repeating it is harmless.
    func close(_ manner: ClosingManner)
}

/// How a connection ends.
public enum ClosingManner: Sendable {
    /// What was sent is still delivered; what the peer is sending is read and dropped for a short
    /// time, because unread bytes would destroy the answer on its way to the peer.
    case orderly

    /// At once. The peer sees an error and no end of stream where the transport can tell them
    /// apart, so that it cannot take a cut message for a complete one.
    case abrupt
}

extension Channel {
    /// Whoever can connect is welcome, unless the transport tells peers apart.
    public var refusal: String? { nil }

    /// Sends all bytes.
    public func send(_ bytes: [UInt8], within limits: OperationLimits) throws(TransportError) {
        try send(bytes, [], within: limits)
    }
}
