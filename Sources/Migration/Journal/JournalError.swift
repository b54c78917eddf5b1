public import LinuxSystem

/// Why an ownership journal cannot be used.
public enum JournalError: Error, Equatable, Sendable {
    /// The kernel refuses.
    case system(path: String, SystemError)
    /// Another VMM has it.
    case inUse(path: String, SystemError)
    /// It is damaged before its end.
    case damaged(path: String, line: Int)
    /// It is as large as it may become, and could not be shortened.
    case tooLarge(path: String, bytes: Int)
}

extension JournalError: CustomStringConvertible {
    /// One sentence: what, why, what now.
    public var description: String {
        switch self {
        case .system(let path, let error):
            "The ownership journal \(path) cannot be used: \(error)"
        case .inUse(let path, let error):
            "The ownership journal \(path) belongs to another VMM: \(error); give each VMM a "
                + "journal of its own"
        case .damaged(let path, let line):
            "The ownership journal \(path) is damaged in line \(line), and nothing is added to it; "
                + "look at it with `martlet journal show`, then move it away"
        case .tooLarge(let path, let bytes):
            "The ownership journal \(path) has \(bytes) bytes and could not be shortened; see "
                + "whether its folder can be written to, or move the journal away"
        }
    }
}
