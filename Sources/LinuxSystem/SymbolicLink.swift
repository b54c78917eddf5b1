import Glibc

/// Symbolic links.
public enum SymbolicLink {
    /// Where the link at `path` leads.
    public static func target(of path: String) throws(SystemError) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        // SAFETY: the kernel writes at most `count` bytes to the buffer.
        let length = unsafe buffer.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            return unsafe readlink(path, base, bytes.count)
        }
        guard length >= 0 else { throw SystemError("read the link", path, .last) }
        return String(decoding: buffer[..<length], as: UTF8.self)
    }
}
