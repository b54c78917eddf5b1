internal import CLinux
import Glibc

/// The table that says which descriptors are open.
///
/// All threads of a process share one, unless a thread detaches itself. A descriptor that was
/// opened with one table means nothing, or something else, with another.
public enum DescriptorTable {
    /// Gives the calling thread, and those that it starts from then on, a table of their own, with
    /// nothing but the standard streams in it (close_range(2), CLOSE_RANGE_UNSHARE).
    ///
    /// Only for threads which use no descriptor that was opened before, also not by letting go of
    /// the last reference to its owner; never for one of a pool.
    public static func detach() throws(SystemError) {
        _ = try check(
            clinux_unshare_descriptors(), "get", "a descriptor table for the thread")
    }

    /// What is open beside the standard streams, as the kernel names it: "3 (anon_inode:[eventfd])".
    public static func openDescriptors() throws(SystemError) -> [String] {
        let folder = "/proc/thread-self/fd"
        // SAFETY: the directory stream is closed here; entries are read before the next call.
        guard let stream = unsafe opendir(folder) else {
            throw SystemError("list", folder, .last)
        }
        defer { unsafe closedir(stream) }
        let own = unsafe dirfd(stream)
        var found: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            guard let number = Int32(name), number > 2, number != own else { continue }
            found.append("\(number) (\(try SymbolicLink.target(of: "\(folder)/\(number)")))")
        }
        return found.sorted()
    }
}
