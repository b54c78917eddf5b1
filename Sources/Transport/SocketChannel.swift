public import LinuxSystem
import Synchronization

/// A channel over a UNIX or TCP socket.
///
/// Bytes move between the socket and guest memory without a buffer between them. Every wait is
/// for the socket, the limits and the cancellation at once, so a silent peer and a request to stop
/// are noticed wherever the channel stands.
public final class SocketChannel: Channel {
    /// Who is at the other end.
    public let peer: String

    /// Whether descriptors can be passed: over UNIX sockets.
    public let passesDescriptors: Bool

    private let socket: StreamSocket
    private let process: ProcessDescriptor?

    /// How long an orderly close waits for the peer's end of stream, in nanoseconds: 1 s.
    private static let lingerNanoseconds: UInt64 = 1_000_000_000

    /// Takes over a connected socket.
    ///
    /// - Parameter peer: how messages call the other end.
    public init(_ socket: consuming StreamSocket, peer: String) {
        self.peer = peer
        if case .local? = try? socket.peer {
            passesDescriptors = true
            process = try? ProcessDescriptor(peerOf: socket)
        } else {
            passesDescriptors = false
            process = nil
        }
        self.socket = socket
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
        try send(head, from: 0, within: limits)
        var position = SegmentPosition()
        while !position.isAtEnd(of: content) {
            try step(.writable, within: limits) { () throws(SystemError) in
                try socket.sendAvailable(content, from: &position)
            }
        }
    }

    private func send(
        _ bytes: [UInt8], from start: Int, within limits: OperationLimits
    ) throws(TransportError) {
        var done = start
        while done < bytes.count {
            done += try step(.writable, within: limits) { () throws(SystemError) in
                try socket.sendAvailable(bytes, from: done)
            }
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
            try socket.sendAll(bytes.span, descriptors: [descriptor.rawValue], deadline: end)
        } catch {
            throw failure(error, within: limits)
        }
    }

    /// Receives exactly `count` bytes.
    public func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        resize(&buffer, to: count)
        var done = 0
        while done < count {
            done += try step(.readable, isFirst: done == 0, within: limits) {
                () throws(SystemError) in
                try socket.receiveAvailable(into: &buffer, from: done)
            }
        }
    }

    /// Receives straight into memory.
    public func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        var position = SegmentPosition()
        while !position.isAtEnd(of: segments) {
            try step(.readable, within: limits) { () throws(SystemError) in
                try socket.receiveAvailable(into: segments, from: &position)
            }
        }
    }

    /// Receives exactly `count` bytes and the descriptor that came with them.
    public func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        guard passesDescriptors else { throw .descriptorsUnsupported(peer: peer) }
        buffer.removeAll(keepingCapacity: true)
        var descriptors = ReceivedDescriptors(limit: 1)
        while buffer.count < count {
            try waitUntilReady(.readable, within: limits)
            var part = [UInt8](repeating: 0, count: count - buffer.count)
            var span = part.mutableSpan
            let received: Int
            do throws(SystemError) {
                received = try socket.receive(
                    into: &span, descriptors: &descriptors, deadline: .now)
            } catch {
                if error.errno == .timedOut { continue }
                throw failure(error, within: limits)
            }
            guard received > 0 else { throw .truncated(peer: peer) }
            buffer += part.prefix(received)
        }
        guard let descriptor = descriptors.takeFirst(name: "descriptor from \(peer)") else {
            throw .descriptorMissing(peer: peer)
        }
        return descriptor
    }

    /// Ends the stream.
    public func close(_ manner: ClosingManner) {
        switch manner {
        case .abrupt: socket.abort()
        case .orderly:
            socket.shutdown(.sending)
            drain()
            socket.shutdown()
        }
    }

    /// Drops what the peer still sends, until it ends or the time is over. The buffer's size only
    /// sets how many calls that takes.
    private func drain() {
        let end = MonotonicInstant.now.advanced(byNanoseconds: SocketChannel.lingerNanoseconds)
        var dropped = [UInt8](repeating: 0, count: 256 << 10)
        while !end.hasPassed {
            do throws(SystemError) {
                switch try socket.receiveAvailable(into: &dropped, from: 0) {
                case .moved: continue
                case .endOfStream: return
                case .wouldWait: try socket.descriptor.wait(for: .readable, deadline: end)
                }
            } catch {
                return
            }
        }
    }

    private func resize(_ buffer: inout [UInt8], to count: Int) {
        if buffer.count > count {
            buffer.removeLast(buffer.count - count)
        } else if buffer.count < count {
            buffer = [UInt8](repeating: 0, count: count)
        }
    }
}

extension SocketChannel {
    /// Moves at least one byte.
    ///
    /// - Parameter isFirst: whether an end of stream falls between two messages.
    @discardableResult
    private func step(
        _ readiness: Readiness, isFirst: Bool = false, within limits: OperationLimits,
        _ transfer: () throws(SystemError) -> TransferProgress
    ) throws(TransportError) -> Int {
        while true {
            if let request = limits.cancellation?.request, request.graceEnd.hasPassed {
                throw .cancelled(reason: request.reason)
            }
            if let deadline = limits.deadline, deadline.hasPassed {
                throw .deadlinePassed(peer: peer)
            }
            let progress: TransferProgress
            do throws(SystemError) {
                progress = try transfer()
            } catch {
                throw failure(error, within: limits)
            }
            switch progress {
            case .moved(let count): return count
            case .endOfStream: throw isFirst ? .closed(peer: peer) : .truncated(peer: peer)
            case .wouldWait: try waitUntilReady(readiness, within: limits)
            }
        }
    }

    /// Waits for the socket, as long as the limits allow.
    private func waitUntilReady(
        _ readiness: Readiness, within limits: OperationLimits
    ) throws(TransportError) {
        // Whoever sends also looks for an answer: one that nobody expects refuses the rest.
        let looksForAnswer = readiness == .writable && !limits.expectsAnswers
        let wanted = looksForAnswer ? [.writable, .readable] : readiness
        let start = MonotonicInstant.now
        while true {
            // The end is asked for anew, because a cancellation brings it nearer.
            let end = limits.end(from: start)
            let found: Readiness
            do throws(SystemError) {
                found = try wait(for: wanted, until: end, limits.cancellation)
            } catch {
                throw failure(error, within: limits)
            }
            if looksForAnswer, found.contains(.readable), !found.contains(.hungUp) {
                throw .answeredEarly(peer: peer)
            }
            if !found.isEmpty { return }
            let now = MonotonicInstant.now
            if limits.end(from: start) <= now { throw limits.expiry(at: now, peer: peer) }
        }
    }

    private func wait(
        for readiness: Readiness, until end: MonotonicInstant, _ cancellation: Cancellation?
    ) throws(SystemError) -> Readiness {
        // Once requested, its event is no news any more; the limits' end is.
        guard let cancellation, cancellation.request == nil else {
            return try socket.descriptor.wait(forAny: readiness, deadline: end)
        }
        return try socket.descriptor.wait(
            forAny: readiness, unless: cancellation.event, deadline: end)
    }

    private func failure(_ error: SystemError, within limits: OperationLimits) -> TransportError {
        switch error.errno {
        case .connectionReset, .brokenPipe: .truncated(peer: peer)
        case .messageTooLong: .unexpectedDescriptors(peer: peer)
        case .timedOut: limits.expiry(at: .now, peer: peer)
        default: .system(peer: peer, error)
        }
    }
}
