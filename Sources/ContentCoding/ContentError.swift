/// Why contents could not be coded or read.
public enum ContentError: Error, Equatable, Sendable {
    /// A context or buffer could not be made.
    case outOfMemory(bytes: Int)

    /// What should be a compressed block is none, or has more bytes than it may.
    case damaged(method: CompressionMethod, storedBytes: Int)

    /// A compressed block has fewer bytes than it should.
    case wrongLength(method: CompressionMethod, expected: Int, actual: Int)
}

extension ContentError: CustomStringConvertible {
    /// One sentence: what is wrong.
    public var description: String {
        switch self {
        case .outOfMemory(let bytes):
            "There is no memory for a buffer of \(bytes) bytes"
        case .damaged(let method, let bytes):
            "\(bytes) bytes compressed with \(method.rawValue) are damaged or hold more than they "
                + "may"
        case .wrongLength(let method, let expected, let actual):
            "A block compressed with \(method.rawValue) holds \(actual) bytes instead of "
                + "\(expected)"
        }
    }
}
