/// A system call that failed: what was tried, on which object, why, and what to do about it.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was tried, as the words after "Cannot": "open", "set the size of".
    public let operation: String
    /// What it was tried on, as a person knows it: "/dev/kvm", "tap net0".
    public let object: String
    /// The kernel's reason.
    public let errno: Errno
    /// What the user can do about it, where that is known.
    public let advice: String?

    /// An error with all its parts; `operation` and `object` read as "Cannot `operation` `object`".
    public init(_ operation: String, _ object: String, _ errno: Errno, advice: String? = nil) {
        self.operation = operation
        self.object = object
        self.errno = errno
        self.advice = advice
    }

    /// One sentence with the operation, the object, the kernel's text, and the advice.
    public var description: String {
        let failure = "Cannot \(operation) \(object): \(errno)"
        return advice.map { "\(failure); \($0)" } ?? failure
    }
}
