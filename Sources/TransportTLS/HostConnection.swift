public import LinuxSystem
public import Transport

/// A connection of a host to another: plain or protected.
///
/// A closed choice, so that every operation is one switch and a direct call.
public final class HostConnection: Transport.Channel {
    private let channel: Kind

    private enum Kind: Sendable {
        case plain(SocketChannel)
        case protected(TLSChannel)
    }

    init(_ channel: SocketChannel) {
        self.channel = .plain(channel)
    }

    init(_ channel: TLSChannel) {
        self.channel = .protected(channel)
    }

    /// Who is at the other end.
    public var peer: String {
        switch channel {
        case .plain(let channel): channel.peer
        case .protected(let channel): channel.peer
        }
    }

    /// Whether descriptors can be passed.
    public var passesDescriptors: Bool {
        switch channel {
        case .plain(let channel): channel.passesDescriptors
        case .protected(let channel): channel.passesDescriptors
        }
    }

    /// Whether the process at the other end has ended; nil where that cannot be known.
    public var peerHasEnded: Bool? {
        switch channel {
        case .plain(let channel): channel.peerHasEnded
        case .protected(let channel): channel.peerHasEnded
        }
    }

    /// Why the peer must be turned away.
    public var refusal: String? {
        switch channel {
        case .plain(let channel): channel.refusal
        case .protected(let channel): channel.refusal
        }
    }

    /// Whether the connection is protected with TLS.
    public var isProtected: Bool {
        switch channel {
        case .plain: false
        case .protected: true
        }
    }

    /// Sends the head, then the content.
    public func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        switch channel {
        case .plain(let channel): try channel.send(head, content, within: limits)
        case .protected(let channel): try channel.send(head, content, within: limits)
        }
    }

    /// Sends bytes and a descriptor with the first of them.
    public func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor,
        within limits: OperationLimits
    ) throws(TransportError) {
        switch channel {
        case .plain(let channel): try channel.send(bytes, with: descriptor, within: limits)
        case .protected(let channel): try channel.send(bytes, with: descriptor, within: limits)
        }
    }

    /// Receives exactly `count` bytes.
    public func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        switch channel {
        case .plain(let channel): try channel.receive(count, into: &buffer, within: limits)
        case .protected(let channel): try channel.receive(count, into: &buffer, within: limits)
        }
    }

    /// Receives into memory.
    public func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        switch channel {
        case .plain(let channel): try channel.receive(into: segments, within: limits)
        case .protected(let channel): try channel.receive(into: segments, within: limits)
        }
    }

    /// Receives exactly `count` bytes and the descriptor that came with them.
    public func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        switch channel {
        case .plain(let channel):
            try channel.receiveDescriptor(with: count, into: &buffer, within: limits)
        case .protected(let channel):
            try channel.receiveDescriptor(with: count, into: &buffer, within: limits)
        }
    }

    /// Ends the stream.
    public func close(_ manner: ClosingManner) {
        switch channel {
        case .plain(let channel): channel.close(manner)
        case .protected(let channel): channel.close(manner)
        }
    }
}
