internal import CLinux
import Glibc

/// Bytes that nobody can predict, from the kernel.
public enum RandomBytes {
    /// Fills the span.
    /// - Throws: When the kernel has no such call, which would be before Linux 3.17.
    public static func fill(_ bytes: inout MutableSpan<UInt8>) throws(SystemError) {
        try unsafe bytes.withUnsafeMutableBytes { (buffer) throws(SystemError) in
            try unsafe fill(buffer)
        }
    }

    /// Fills a piece of memory.
    public static func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
        guard let base = buffer.baseAddress else { return }
        var done = 0
        while done < buffer.count {
            // SAFETY: the rest of the caller's buffer.
            done += try check(
                retrying { unsafe getrandom(base + done, buffer.count - done, 0) }, "read",
                "random bytes")
        }
    }
}
