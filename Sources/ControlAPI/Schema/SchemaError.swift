/// Why a request body is refused. Each case names the field by its path from the body's root, such
/// as `disks[0].path`.
public enum SchemaError: Error, Equatable, Sendable {
    /// The body is not JSON.
    case malformed(reason: String)
    /// The object has no such field; `known` are those that it has.
    case unknownField(path: String, known: [String])
    /// The field is a known one, but Martlet only supports `supported`.
    case unsupported(path: String, supported: String)
    /// The value has another type or does not fit; `expected` reads after "expected".
    case wrongType(path: String, expected: String)
    /// The field must be given.
    case missing(path: String)
    /// The value cannot be; `reason` reads after the path.
    case invalid(path: String, reason: String)
    /// The value is that of another field, and must not be.
    case duplicate(path: String, reason: String)
}

extension SchemaError: CustomStringConvertible {
    /// One sentence: the field, what is wrong with it, and what would be right.
    public var description: String {
        switch self {
        case .malformed(let reason):
            "The body is not valid JSON: \(reason)"
        case .unknownField(let path, let known):
            "Unknown field \(path); known here: \(known.joined(separator: ", "))"
        case .unsupported(let path, let supported):
            "\(path) is not supported by Martlet yet at this value; supported: \(supported)"
        case .wrongType(let path, let expected):
            "\(path) has a wrong value: expected \(expected)"
        case .missing(let path):
            "\(path) is missing"
        case .invalid(let path, let reason), .duplicate(let path, let reason):
            "\(path) \(reason)"
        }
    }
}

extension SchemaError {
    /// The same error where the object at `root` is the whole body: `path` instead of
    /// `disks[1].path`. Errors about other fields are kept.
    public func relative(to root: String) -> SchemaError {
        func cut(_ path: String) -> String {
            path.hasPrefix("\(root).") ? String(path.dropFirst(root.count + 1)) : path
        }
        return switch self {
        case .malformed: self
        case .unknownField(let path, let known): .unknownField(path: cut(path), known: known)
        case .unsupported(let path, let supported):
            .unsupported(path: cut(path), supported: supported)
        case .wrongType(let path, let expected): .wrongType(path: cut(path), expected: expected)
        case .missing(let path): .missing(path: cut(path))
        case .invalid(let path, let reason): .invalid(path: cut(path), reason: reason)
        case .duplicate(let path, let reason): .duplicate(path: cut(path), reason: reason)
        }
    }
}
