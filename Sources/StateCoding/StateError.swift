/// Why a component's saved state cannot be read.
///
/// Saved state comes from another process, possibly of another version, so every field is checked
/// and no error here is a programming mistake of the reader.
///
/// `component` is the path of the component from the outermost one, with `/` between names.
public enum StateError: Error, Equatable, Sendable {
    /// A field needs `needed` bytes where only `available` are left.
    case truncated(component: String, needed: UInt64, available: Int)
    /// Another component stands where `expected` should.
    case unexpectedComponent(component: String, expected: String)
    /// The state was written by a version which this program does not know.
    case unsupportedVersion(component: String, version: UInt16, newest: UInt16)
    /// Bytes are left after the last field that this program knows.
    case leftover(component: String, bytes: Int)
    /// A text field is not UTF-8.
    case invalidText(component: String)
    /// A field has a value that its component cannot have; `reason` names both.
    case invalidValue(component: String, reason: String)
}

extension StateError: CustomStringConvertible {
    /// One sentence: the component, what is wrong, and what the user can do where that is known.
    public var description: String {
        switch self {
        case .truncated(let component, let needed, let available):
            "State of \(component) is cut short: a field needs \(needed) bytes, \(available) are left."
        case .unexpectedComponent(let component, let expected):
            "State of \(component) stands where that of \(expected) is expected."
        case .unsupportedVersion(let component, let version, let newest):
            "State of \(component) has version \(version), this program reads up to \(newest); "
                + "use a destination that is as new as the source."
        case .leftover(let component, let bytes):
            "State of \(component) has \(bytes) bytes more than this program knows."
        case .invalidText(let component):
            "State of \(component) has a text that is not UTF-8."
        case .invalidValue(let component, let reason):
            "State of \(component) is invalid: \(reason)."
        }
    }
}
