public import LinuxSystem
import Synchronization

/// A channel over a UNIX or TCP socket.
///
/// Bytes move between the socket and guest memory without a buffer between them.
public final class SocketChannel: Channel {
    /// Who is at the other end.
    public var peer: String { line.peer }

    /// Whether descriptors can be passed: over UNIX sockets.
    public let passesDescriptors: Bool

    private let line: LimitedSocket
    private let process: ProcessDescriptor?

    /// Takes over a connected socket.
    ///
    /// - Parameter peer: how messages call the other end.
    public init(_ socket: consuming StreamSocket, peer: String) {
        if case .local? = try? socket.peer {
            passesDescriptors = true
            process = try? ProcessDescriptor(peerOf: socket)
        } else {
            passesDescriptors = false
            process = nil
        }
        line = LimitedSocket(socket, peer: peer)
    }

    /// Whether the process at the other end has ended; nil over TCP.
    public var peerHasEnded: Bool? {
        switch process {
        case .some(let process): try? process.hasEnded
        case nil: nil
        }
    }

    /// Sends the head, then the content straight from memory.
    public func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        var pace = MessagePace()
        var done = 0
        while done < head.count {
            let count = try line.step(
                .writable, within: pace.applied(to: limits)
            ) { () throws(SystemError) in
                try line.socket.sendAvailable(head, from: done)
            }
            done += count
            pace.note(count, within: limits)
        }
        var position = SegmentPosition()
        while !position.isAtEnd(of: content) {
            let count = try line.step(
                .writable, within: pace.applied(to: limits)
            ) { () throws(SystemError) in
                try line.socket.sendAvailable(content, from: &position)
            }
            pace.note(count, within: limits)
        }
    }

    /// Sends bytes and a descriptor with the first of them.
    public func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor,
        within limits: OperationLimits
    ) throws(TransportError) {
        guard passesDescriptors else { throw .descriptorsUnsupported(peer: peer) }
        // One message of a few bytes: waiting for room is the only wait, and the limits' end
        // bounds it.
        let end = limits.end(from: .now)
        do throws(SystemError) {
            try line.socket.sendAll(bytes.span, descriptors: [descriptor.rawValue], deadline: end)
        } catch {
            throw line.failure(error, within: limits)
        }
    }

    /// Receives exactly `count` bytes.
    public func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        resize(&buffer, to: count)
        var pace = MessagePace()
        var done = 0
        do throws(TransportError) {
            while done < count {
                let moved = try line.step(
                    .readable, isFirst: done == 0, within: pace.applied(to: limits)
                ) { () throws(SystemError) in
                    try line.socket.receiveAvailable(into: &buffer, from: done)
                }
                done += moved
                pace.note(moved, within: limits)
            }
        } catch {
            guard case .truncated = error, TLSError.isAlert(buffer.prefix(done)) else {
                throw error
            }
            throw .tls(.expectedByPeer(peer: peer))
        }
    }

    /// Receives straight into memory.
    public func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        var position = SegmentPosition()
        var pace = MessagePace()
        while !position.isAtEnd(of: segments) {
            let count = try line.step(
                .readable, within: pace.applied(to: limits)
            ) { () throws(SystemError) in
                try line.socket.receiveAvailable(into: segments, from: &position)
            }
            pace.note(count, within: limits)
        }
    }

    /// Receives exactly `count` bytes and the descriptor that came with them.
    public func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        guard passesDescriptors else { throw .descriptorsUnsupported(peer: peer) }
        buffer.removeAll(keepingCapacity: true)
        var descriptors = ReceivedDescriptors(limit: 1)
        var pace = MessagePace()
        while buffer.count < count {
            try line.waitUntilReady(.readable, within: pace.applied(to: limits))
            var part = [UInt8](repeating: 0, count: count - buffer.count)
            var span = part.mutableSpan
            let received: Int
            do throws(SystemError) {
                received = try line.socket.receive(
                    into: &span, descriptors: &descriptors, deadline: .now)
            } catch {
                if error.errno == .timedOut { continue }
                throw line.failure(error, within: limits)
            }
            guard received > 0 else { throw .truncated(peer: peer) }
            buffer += part.prefix(received)
            pace.note(received, within: limits)
        }
        guard let descriptor = descriptors.takeFirst(name: "descriptor from \(peer)") else {
            throw .descriptorMissing(peer: peer)
        }
        return descriptor
    }

    /// Ends the stream.
    public func close(_ manner: ClosingManner) {
        line.close(manner)
    }

    private func resize(_ buffer: inout [UInt8], to count: Int) {
        if buffer.count > count {
            buffer.removeLast(buffer.count - count)
        } else if buffer.count < count {
            buffer = [UInt8](repeating: 0, count: count)
        }
    }
}
