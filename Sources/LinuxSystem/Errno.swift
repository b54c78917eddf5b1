internal import CLinux
import Glibc

/// An error number of the kernel, with the names that callers decide on.
public struct Errno: RawRepresentable, Equatable, Hashable, Sendable, CustomStringConvertible {
    /// The positive number, as in `errno`.
    public let rawValue: Int32

    /// Any number, known or not.
    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// The number that the last failed call of this thread left.
    static var last: Errno { Errno(rawValue: errno) }

    /// `EACCES`
    public static let permissionDenied = Errno(rawValue: EACCES)
    /// `EPERM`
    public static let notPermitted = Errno(rawValue: EPERM)
    /// `ENOENT`
    public static let noSuchFile = Errno(rawValue: ENOENT)
    /// `ENODEV`
    public static let noSuchDevice = Errno(rawValue: ENODEV)
    /// `ENXIO`
    public static let noSuchAddress = Errno(rawValue: ENXIO)
    /// `EEXIST`
    public static let fileExists = Errno(rawValue: EEXIST)
    /// `EISDIR`
    public static let isDirectory = Errno(rawValue: EISDIR)
    /// `EROFS`
    public static let readOnlyFileSystem = Errno(rawValue: EROFS)
    /// `EBADFD`: also what a queue of a tap is that is detached from it.
    public static let badDescriptorState = Errno(rawValue: EBADFD)
    /// `EBUSY`
    public static let busy = Errno(rawValue: EBUSY)
    /// `EAGAIN`
    public static let wouldBlock = Errno(rawValue: EAGAIN)
    /// `EINTR`
    public static let interrupted = Errno(rawValue: EINTR)
    /// `EINVAL`
    public static let invalidArgument = Errno(rawValue: EINVAL)
    /// `ENOMEM`
    public static let noMemory = Errno(rawValue: ENOMEM)
    /// `ENOSPC`
    public static let noSpace = Errno(rawValue: ENOSPC)
    /// `ENOSYS`
    public static let notImplemented = Errno(rawValue: ENOSYS)
    /// `ENOTTY`
    public static let unknownRequest = Errno(rawValue: ENOTTY)
    /// `EOPNOTSUPP`
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    /// `E2BIG`
    public static let listTooLong = Errno(rawValue: E2BIG)
    /// `ENOBUFS`
    public static let noBufferSpace = Errno(rawValue: ENOBUFS)
    /// `EMSGSIZE`
    public static let messageTooLong = Errno(rawValue: EMSGSIZE)
    /// `ENAMETOOLONG`
    public static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
    /// `EIO`
    public static let inputOutput = Errno(rawValue: EIO)
    /// `EPIPE`
    public static let brokenPipe = Errno(rawValue: EPIPE)
    /// `ECONNREFUSED`
    public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
    /// `ECONNRESET`
    public static let connectionReset = Errno(rawValue: ECONNRESET)
    /// `ETIMEDOUT`: also what a passed deadline is reported as.
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    /// `EADDRINUSE`
    public static let addressInUse = Errno(rawValue: EADDRINUSE)
    /// `EADDRNOTAVAIL`
    public static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)

    /// The kernel's text and the name, as in "Permission denied (EACCES)".
    public var description: String {
        // SAFETY: both functions return constant, terminated strings or null.
        guard let text = unsafe clinux_error_text(rawValue),
            let name = unsafe clinux_error_name(rawValue)
        else { return "error \(rawValue)" }
        return unsafe "\(String(cString: text)) (\(String(cString: name)))"
    }
}
