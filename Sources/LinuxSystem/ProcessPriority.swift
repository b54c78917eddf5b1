import Glibc

/// How much of the processors this process gets where others want them too.
public enum ProcessPriority {
    /// Lets others go first, from now on: all threads that there are get a tenth of what a thread of
    /// normal priority gets beside them (nice 10, setpriority(2)).
    ///
    /// Threads that cannot be found, or have ended meanwhile, stay as they are. There is no way back
    /// without privileges.
    public static func yieldToOthers() throws(SystemError) {
        for thread in try ownThreads() {
            // One that has just ended is the only reason to fail.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(thread), Self.niceness)
        }
    }

    private static let niceness: Int32 = 10

    private static func ownThreads() throws(SystemError) -> [Int32] {
        let folder = "/proc/self/task"
        // SAFETY: the directory stream is closed here; entries are read before the next call.
        guard let stream = unsafe opendir(folder) else {
            throw SystemError("list", folder, .last)
        }
        defer { unsafe closedir(stream) }
        var found: [Int32] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if let number = Int32(name) { found.append(number) }
        }
        return found
    }
}
