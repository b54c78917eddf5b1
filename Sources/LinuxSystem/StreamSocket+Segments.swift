internal import CLinux
import Glibc

/// A position in a list of segments which a transfer has reached.
public struct SegmentPosition: Hashable, Sendable {
    /// The segment; the number of segments at the end.
    public private(set) var index = 0

    /// Bytes of that segment which are done.
    public private(set) var offset = 0

    /// The start of a list.
    public init() {}

    /// Whether all segments are done. Empty ones at the position are passed over.
    public mutating func isAtEnd(of segments: [MemorySegment]) -> Bool {
        while index < segments.count, offset >= segments[index].count {
            index += 1
            offset = 0
        }
        return index >= segments.count
    }

    /// Moves on by as many bytes as a call has moved.
    mutating func advance(by count: Int, in segments: [MemorySegment]) {
        var rest = count
        while rest > 0, index < segments.count {
            let step = min(rest, segments[index].count - offset)
            offset += step
            rest -= step
            if offset == segments[index].count {
                index += 1
                offset = 0
            }
        }
    }
}

/// What one call that does not wait has moved.
public enum TransferProgress: Hashable, Sendable {
    /// So many bytes, at least one.
    case moved(Int)
    /// Nothing: the call would have to wait.
    case wouldWait
    /// Nothing, and nothing will come: the peer has stopped sending.
    case endOfStream
}

/// Transfers that do not wait, of guest memory and of the small buffers around it. The caller
/// waits between them, for the socket and for what else may end its transfer.
extension StreamSocket {
    /// Sends from the position on, as many bytes as fit, straight from the segments.
    public func sendAvailable(
        _ segments: [MemorySegment], from position: inout SegmentPosition
    ) throws(SystemError) -> TransferProgress {
        let result = unsafe withVectors(segments, from: position) { vectors, count in
            unsafe clinux_send(descriptor.rawValue, vectors, count, nil, 0)
        }
        let progress = try progress(of: result, "send to", atZero: .wouldWait)
        if case .moved(let count) = progress { position.advance(by: count, in: segments) }
        return progress
    }

    /// Receives what is there into the segments from the position on.
    public func receiveAvailable(
        into segments: [MemorySegment], from position: inout SegmentPosition
    ) throws(SystemError) -> TransferProgress {
        let result = unsafe withVectors(segments, from: position) { vectors, count in
            var descriptors = 0
            return unsafe clinux_receive(
                descriptor.rawValue, vectors, count, nil, 0, &descriptors)
        }
        let progress = try progress(of: result, "receive from", atZero: .endOfStream)
        if case .moved(let count) = progress { position.advance(by: count, in: segments) }
        return progress
    }

    /// Sends the bytes from `start` on, as many as fit.
    public func sendAvailable(
        _ bytes: [UInt8], from start: Int
    ) throws(SystemError) -> TransferProgress {
        // SAFETY: every byte of an array of bytes is initialized.
        try unsafe sendAvailable(bytes.span.extracting(droppingFirst: start).bytes)
    }

    /// Receives what is there into the bytes from `start` on.
    public func receiveAvailable(
        into bytes: inout [UInt8], from start: Int
    ) throws(SystemError) -> TransferProgress {
        var span = bytes.mutableSpan
        let result = unsafe span.withUnsafeMutableBytes { buffer in
            // SAFETY: the kernel writes into the caller's bytes, within the call; a start beyond
            // their end is a bug of the caller and traps.
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
            var vector = unsafe iovec(iov_base: rest.baseAddress, iov_len: rest.count)
            var descriptors = 0
            return retryingShim {
                unsafe clinux_receive(descriptor.rawValue, &vector, 1, nil, 0, &descriptors)
            }
        }
        return try progress(of: result, "receive from", atZero: .endOfStream)
    }

    /// Sends as many of the bytes as fit.
    public func sendAvailable(_ bytes: RawSpan) throws(SystemError) -> TransferProgress {
        let result = retryingShim {
            unsafe bytes.withUnsafeBytes { buffer in
                // SAFETY: the kernel only reads the bytes, within the call.
                var vector = unsafe iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress),
                    iov_len: buffer.count)
                return unsafe clinux_send(descriptor.rawValue, &vector, 1, nil, 0)
            }
        }
        return try progress(of: result, "send to", atZero: .wouldWait)
    }

    /// Appends what is there, as much as fits.
    public func receiveAvailable(
        into output: inout OutputRawSpan
    ) throws(SystemError) -> TransferProgress {
        let result = unsafe output.withUnsafeMutableBytes { buffer, initialized in
            // SAFETY: the kernel writes into the part that is free, within the call.
            let free = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[initialized...])
            var vector = unsafe iovec(iov_base: free.baseAddress, iov_len: free.count)
            var descriptors = 0
            let count = retryingShim {
                unsafe clinux_receive(descriptor.rawValue, &vector, 1, nil, 0, &descriptors)
            }
            initialized += max(0, count)
            return count
        }
        return try progress(of: result, "receive from", atZero: .endOfStream)
    }

    private func progress(
        of result: Int, _ operation: String, atZero: TransferProgress
    ) throws(SystemError) -> TransferProgress {
        if result == -Int(Errno.wouldBlock.rawValue) { return .wouldWait }
        let count = try check(result, operation, descriptor.name)
        return count > 0 ? .moved(count) : atZero
    }

    /// Calls `body` with what is left of the list, cut to what one call takes.
    private func withVectors(
        _ segments: [MemorySegment], from position: SegmentPosition,
        _ body: (UnsafePointer<iovec>, Int) -> Int
    ) -> Int {
        let count = min(segments.count - position.index, maximumVectorCount)
        return unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: max(1, count)) {
            vectors in
            for index in 0..<count {
                let segment = segments[position.index + index]
                let done = index == 0 ? position.offset : 0
                // SAFETY: `done` is at most the segment's length, and the segment's owner keeps
                // it mapped during the transfer.
                unsafe vectors[index] = iovec(
                    iov_base: segment.baseAddress + done, iov_len: segment.count - done)
            }
            guard let first = vectors.baseAddress else { return 0 }
            return retryingShim { unsafe body(first, count) }
        }
    }
}

extension OwnedDescriptor {
    /// Waits until the descriptor is ready, and says for what.
    ///
    /// - Returns: what it is ready for, failures included; empty when the deadline came first.
    public func wait(
        forAny readiness: Readiness, deadline: MonotonicInstant
    ) throws(SystemError) -> Readiness {
        try wait(forAny: readiness, event: -1, deadline: deadline)
    }

    /// Waits until the descriptor is ready or the event is signalled.
    ///
    /// - Returns: what it is ready for, failures included; empty when the event or the deadline
    ///   came first.
    public func wait(
        forAny readiness: Readiness, unless event: borrowing EventDescriptor,
        deadline: MonotonicInstant
    ) throws(SystemError) -> Readiness {
        try wait(forAny: readiness, event: event.descriptor.rawValue, deadline: deadline)
    }

    /// - Parameter event: a descriptor, or -1, which the kernel passes over.
    private func wait(
        forAny readiness: Readiness, event: Int32, deadline: MonotonicInstant
    ) throws(SystemError) -> Readiness {
        var entries: [2 of pollfd] = [
            pollfd(fd: rawValue, events: readiness.pollEvents, revents: 0),
            pollfd(fd: event, events: Readiness.readable.pollEvents, revents: 0),
        ]
        var span = entries.mutableSpan
        let count = retryingShim {
            var remaining = deadline.remaining
            // SAFETY: two entries and one time on this frame.
            return unsafe span.withUnsafeMutableBufferPointer { buffer -> Int32 in
                guard let first = buffer.baseAddress else { return 0 }
                return unsafe clinux_poll_many(first, 2, &remaining)
            }
        }
        _ = try check(count, "wait for", name)
        return Readiness(rawValue: UInt32(UInt16(bitPattern: entries[0].revents)))
    }
}

extension StreamListener {
    /// Refuses connections from now on and wakes whoever waits for one.
    public func stopListening() {
        _ = Glibc.shutdown(descriptor.rawValue, Int32(SHUT_RDWR))
    }
}

extension StreamSocket {
    /// Ends the connection at once. Over TCP the peer gets an error instead of an end of stream;
    /// over a UNIX socket the kernel knows no such thing, and it sees the end.
    public func abort() {
        // Connecting to no address is how a TCP socket is reset while others may still use it.
        var none = sockaddr()
        none.sa_family = sa_family_t(AF_UNSPEC)
        // SAFETY: the kernel reads the family of the local only.
        _ = unsafe Glibc.connect(
            descriptor.rawValue, &none, socklen_t(MemoryLayout<sockaddr>.size))
        shutdown()
    }
}
