internal import CLinux
import Glibc

/// Sending and receiving with a deadline. A deadline of nil means never to give up; when it comes
/// first, the call throws `.timedOut`, and the connection is of no further use after a call that
/// was to move all of something, because some of it may have been moved.
extension StreamSocket {
    /// Sends some of the pieces, at least one byte unless they are empty.
    /// - Returns: How many bytes were taken.
    public func send(
        _ vectors: UnsafeBufferPointer<MemoryVector>, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        try whenReady(.writable, "send to", deadline) {
            // SAFETY: the pieces are the caller's for the length of the call.
            unsafe vectors.withVectors {
                unsafe clinux_send(descriptor.rawValue, $0, Int($1), nil, 0)
            }
        }
    }

    /// Receives into some of the pieces. Descriptors that the peer sends along are closed and make
    /// this fail with `.messageTooLong`: nobody asked for them.
    /// - Returns: How many bytes were received, 0 at the end of the stream.
    public func receive(
        into vectors: UnsafeBufferPointer<MemoryVector>, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        try whenReady(.readable, "receive from", deadline) {
            var none = 0
            // SAFETY: the pieces are the caller's for the length of the call.
            return unsafe vectors.withVectors {
                unsafe clinux_receive(descriptor.rawValue, $0, Int($1), nil, 0, &none)
            }
        }
    }

    /// Sends all bytes of one piece of memory.
    public func sendAll(
        _ buffer: UnsafeRawBufferPointer, deadline: MonotonicInstant? = nil
    ) throws(SystemError) {
        var done = 0
        while done < buffer.count {
            // SAFETY: the rest of the caller's buffer, which is only read.
            let rest = unsafe MemoryVector(
                base: UnsafeMutableRawPointer(mutating: buffer.baseAddress).map {
                    unsafe $0 + done
                },
                count: buffer.count - done)
            done += try unsafe withOne(rest) { (vectors) throws(SystemError) in
                try unsafe send(vectors, deadline: deadline)
            }
        }
    }

    /// Receives at most `buffer.count` bytes into one piece of memory.
    /// - Returns: How many, 0 at the end of the stream.
    public func receive(
        into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        // SAFETY: the caller's buffer.
        let piece = unsafe MemoryVector(base: buffer.baseAddress, count: buffer.count)
        return try unsafe withOne(piece) { (vectors) throws(SystemError) in
            try unsafe receive(into: vectors, deadline: deadline)
        }
    }

    /// Fills one piece of memory.
    /// - Returns: How many bytes there were before the end of the stream; less than asked for means
    ///   that the stream has ended.
    public func receiveAll(
        into buffer: UnsafeMutableRawBufferPointer, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            // SAFETY: the rest of the caller's buffer.
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = try unsafe receive(into: rest, deadline: deadline)
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Sends all bytes of a span, such as an array's.
    public func sendAll(
        _ bytes: Span<UInt8>, deadline: MonotonicInstant? = nil
    ) throws(SystemError) {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(SystemError) in
            try unsafe sendAll(buffer, deadline: deadline)
        }
    }

    /// Receives at most as many bytes as the span has room for.
    /// - Returns: How many, 0 at the end of the stream.
    public func receive(
        into bytes: inout MutableSpan<UInt8>, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
            try unsafe receive(into: buffer, deadline: deadline)
        }
    }

    /// Fills the span.
    /// - Returns: How many bytes there were before the end of the stream.
    public func receiveAll(
        into bytes: inout MutableSpan<UInt8>, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
            try unsafe receiveAll(into: buffer, deadline: deadline)
        }
    }

    /// Repeats a shim's call until it neither waits nor is interrupted.
    func whenReady(
        _ readiness: Readiness, _ operation: String, _ deadline: MonotonicInstant?,
        _ call: () -> Int
    ) throws(SystemError) -> Int {
        while true {
            let result = retryingShim(call)
            if result != -Int(Errno.wouldBlock.rawValue) {
                return try check(result, operation, descriptor.name)
            }
            try descriptor.wait(for: readiness, deadline: deadline)
        }
    }

    /// Calls `body` with a list of one piece.
    private func withOne(
        _ piece: MemoryVector,
        _ body: (UnsafeBufferPointer<MemoryVector>) throws(SystemError) -> Int
    ) throws(SystemError) -> Int {
        // SAFETY: the list is used only within the call.
        try unsafe withUnsafePointer(to: piece) { (pointer) throws(SystemError) in
            try unsafe body(UnsafeBufferPointer(start: pointer, count: 1))
        }
    }
}
