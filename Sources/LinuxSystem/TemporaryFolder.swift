import Glibc

/// A folder of its own below /tmp, which is removed with the files in it when its owner goes.
public final class TemporaryFolder: Sendable {
    /// The folder's path.
    public let path: String

    /// Makes a folder that only this user can enter.
    ///
    /// - Parameter prefix: what its name begins with.
    public init(prefix: String) throws(SystemError) {
        var template = Array("/tmp/\(prefix).XXXXXX".utf8CString)
        // SAFETY: the template is a terminated string which the call fills in.
        let made = unsafe template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return false }
            return unsafe mkdtemp(base) != nil
        }
        guard made else { throw SystemError("create a folder in", "/tmp", .last) }
        path = String(
            decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        remove()
    }

    /// Removes a file in it; harmless when there is none.
    public func remove(_ file: String) {
        // SAFETY: the path is a terminated string for the length of the call.
        _ = unsafe unlink("\(path)/\(file)")
    }

    /// Removes the folder and the files in it. Folders inside it stay, and it with them: whoever
    /// makes such removes them.
    private func remove() {
        // SAFETY: the directory stream is closed here; entries are read before the next call.
        if let stream = unsafe opendir(path) {
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                        unsafe String(cString: $0)
                    }
                }
                if name != "." && name != ".." { _ = unsafe unlink("\(path)/\(name)") }
            }
            unsafe closedir(stream)
        }
        _ = unsafe rmdir(path)
    }
}
