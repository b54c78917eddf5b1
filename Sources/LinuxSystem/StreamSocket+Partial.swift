internal import CLinux
import Glibc

extension StreamSocket {
    /// Sends as many of the bytes as are taken at once, at least one. With a deadline that has
    /// passed it does not wait, which is what event loops need.
    /// - Returns: How many bytes were taken.
    public func send(
        _ bytes: Span<UInt8>, deadline: MonotonicInstant? = nil
    ) throws(SystemError) -> Int {
        guard !bytes.isEmpty else { return 0 }
        return try whenReady(.writable, "send to", deadline) {
            unsafe bytes.withUnsafeBytes { buffer in
                // SAFETY: the kernel only reads the bytes, within the call.
                var vector = unsafe iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress),
                    iov_len: buffer.count)
                return unsafe clinux_send(descriptor.rawValue, &vector, 1, nil, 0)
            }
        }
    }
}
