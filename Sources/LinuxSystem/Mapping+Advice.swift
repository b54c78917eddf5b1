internal import CLinux
import Glibc

extension Mapping {
    /// What the kernel is told about a range.
    public enum Advice: Sendable {
        /// The contents are not needed: anonymous memory reads as zeros afterwards, a shared
        /// file's pages stay in the file.
        case notNeeded
        /// The contents are to be freed in the file too; they read as zeros afterwards.
        case remove
        /// Large pages are welcome.
        case hugePages
        /// Large pages are not welcome.
        case noHugePages
        /// Bring in every page and make it writable, as a first write would.
        case populateForWriting
        /// The range stays out of core dumps.
        case excludeFromDumps

        fileprivate var number: Int32 {
            switch self {
            case .notNeeded: MADV_DONTNEED
            case .remove: MADV_REMOVE
            case .hugePages: MADV_HUGEPAGE
            case .noHugePages: MADV_NOHUGEPAGE
            case .populateForWriting: CLINUX_MADV_POPULATE_WRITE
            case .excludeFromDumps: MADV_DONTDUMP
            }
        }

        fileprivate var operation: String {
            switch self {
            case .notNeeded: "drop"
            case .remove: "free"
            case .hugePages: "use huge pages for"
            case .noHugePages: "keep huge pages from"
            case .populateForWriting: "populate"
            case .excludeFromDumps: "exclude from dumps"
            }
        }
    }

    /// Tells the kernel about a range of bytes of this mapping.
    /// - Parameter range: Within 0..<count, starting at a page; the whole mapping if nil.
    public func advise(_ advice: Advice, _ range: Range<Int>? = nil) throws(SystemError) {
        let range = range ?? 0..<count
        let object = "memory \(range.lowerBound)..<\(range.upperBound)"
        guard range.lowerBound >= 0, range.upperBound <= count else {
            throw SystemError(advice.operation, object, .invalidArgument)
        }
        // SAFETY: the range was checked to lie within this mapping.
        let result = retrying {
            unsafe madvise(baseAddress + range.lowerBound, range.count, advice.number)
        }
        _ = try check(result, advice.operation, object)
    }
}
