internal import CLinux
import Glibc

/// A piece of memory for vectored input and output, laid out as the kernel's `struct iovec`.
@unsafe
public struct MemoryVector {
    /// The first byte.
    public var base: UnsafeMutableRawPointer?
    /// The number of bytes.
    public var count: Int

    /// `count` bytes from `base`, which stay valid while a call uses them.
    public init(base: UnsafeMutableRawPointer?, count: Int) {
        unsafe self.base = base
        unsafe self.count = count
    }
}

extension UnsafeBufferPointer<MemoryVector> {
    /// The same memory as the C library names it.
    func withVectors<Result>(
        _ body: (UnsafePointer<iovec>, Int32) -> Result
    ) -> Result {
        // SAFETY: MemoryVector has the two fields of iovec at the same places (tested); the kernel
        // takes no more than IOV_MAX, so that a larger count is cut, as a short transfer.
        let count = Int32(Swift.min(self.count, maximumVectorCount))
        guard let base = baseAddress else {
            var none = unsafe iovec()
            return unsafe body(&none, 0)
        }
        return unsafe UnsafeRawPointer(base).withMemoryRebound(to: iovec.self, capacity: self.count)
        { unsafe body($0, count) }
    }
}

/// IOV_MAX: how many pieces one call takes.
let maximumVectorCount = 1024

/// Reading and writing. Every call repeats itself when a signal interrupts it, and returns how
/// many bytes it moved, which can be fewer than asked for; a read of 0 is the end.
extension OwnedDescriptor {
    /// Reads at most `buffer.count` bytes at the current position.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        // SAFETY: the buffer is the caller's for the length of the call.
        try check(
            retrying { unsafe Glibc.read(rawValue, buffer.baseAddress, buffer.count) }, "read",
            name)
    }

    /// Writes at most `buffer.count` bytes at the current position.
    public func write(_ buffer: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        // SAFETY: the buffer is the caller's for the length of the call.
        try check(
            retrying { unsafe Glibc.write(rawValue, buffer.baseAddress, buffer.count) },
            "write to", name)
    }

    /// Reads at `offset` without moving the position.
    public func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        // SAFETY: the buffer is the caller's for the length of the call.
        try check(
            retrying { unsafe pread(rawValue, buffer.baseAddress, buffer.count, offset) },
            "read", name)
    }

    /// Writes at `offset` without moving the position.
    public func write(
        _ buffer: UnsafeRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        // SAFETY: the buffer is the caller's for the length of the call.
        try check(
            retrying { unsafe pwrite(rawValue, buffer.baseAddress, buffer.count, offset) },
            "write to", name)
    }

    /// Reads into several pieces at the current position.
    public func read(into vectors: UnsafeBufferPointer<MemoryVector>) throws(SystemError) -> Int {
        // SAFETY: the pieces are the caller's for the length of the call.
        try check(
            retrying { unsafe vectors.withVectors { unsafe readv(rawValue, $0, $1) } }, "read",
            name)
    }

    /// Writes several pieces at the current position.
    public func write(_ vectors: UnsafeBufferPointer<MemoryVector>) throws(SystemError) -> Int {
        // SAFETY: the pieces are the caller's for the length of the call.
        try check(
            retrying { unsafe vectors.withVectors { unsafe writev(rawValue, $0, $1) } },
            "write to", name)
    }

    /// Reads into several pieces at `offset`.
    public func read(
        into vectors: UnsafeBufferPointer<MemoryVector>, at offset: Int
    ) throws(SystemError) -> Int {
        // SAFETY: the pieces are the caller's for the length of the call.
        try check(
            retrying { unsafe vectors.withVectors { unsafe preadv(rawValue, $0, $1, offset) } },
            "read", name)
    }

    /// Writes several pieces at `offset`.
    public func write(
        _ vectors: UnsafeBufferPointer<MemoryVector>, at offset: Int
    ) throws(SystemError) -> Int {
        // SAFETY: the pieces are the caller's for the length of the call.
        try check(
            retrying { unsafe vectors.withVectors { unsafe pwritev(rawValue, $0, $1, offset) } },
            "write to", name)
    }

    /// Reads at most `maximum` bytes at the current position into a new array.
    public func read(maximum: Int) throws(SystemError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: maximum)
        var span = result.mutableSpan
        // SAFETY: every pattern of bits is a UInt8; the array is not used meanwhile.
        var bytes = unsafe span.mutableBytes
        let count = try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
            try unsafe read(into: buffer)
        }
        result.removeLast(maximum - count)
        return result
    }

    /// Reads from the current position to the end into a new array.
    /// - Throws: `.messageTooLong` when there are more than `maximum` bytes.
    public func readAll(maximum: Int) throws(SystemError) -> [UInt8] {
        var result: [UInt8] = []
        while true {
            let piece = try read(maximum: 65536)
            if piece.isEmpty { return result }
            guard piece.count <= maximum - result.count else {
                throw SystemError("read", name, .messageTooLong)
            }
            result += piece
        }
    }

    /// Writes at most all `bytes` at the current position.
    public func write(_ bytes: [UInt8]) throws(SystemError) -> Int {
        // SAFETY: a UInt8 has no padding; the bytes are used only within the call.
        try unsafe bytes.span.bytes.withUnsafeBytes { (bytes) throws(SystemError) in
            try unsafe write(bytes)
        }
    }

    /// Writes at most all `bytes` at `offset` without moving the position.
    public func write(_ bytes: [UInt8], at offset: Int) throws(SystemError) -> Int {
        // SAFETY: a UInt8 has no padding; the bytes are used only within the call.
        try unsafe bytes.span.bytes.withUnsafeBytes { (bytes) throws(SystemError) in
            try unsafe write(bytes, at: offset)
        }
    }

    /// Writes all `bytes`, in as many calls as it takes. For descriptors that wait.
    public func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            // SAFETY: a UInt8 has no padding; the piece is used only within the call.
            let rest = unsafe bytes.span.bytes.extracting(droppingFirst: done)
            let count = try unsafe rest.withUnsafeBytes { (piece) throws(SystemError) in
                try unsafe write(piece)
            }
            done += count
        }
    }
}
