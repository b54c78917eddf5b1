/// A JSON object that is described by a table of its fields. The table alone decides what is
/// accepted, in JSON and in option strings; a field that is not in it is refused.
public protocol SchemaObject: Codable, Equatable, Sendable {
    /// The object with every field at its default.
    init()

    /// All fields that Cloud Hypervisor knows here, also those that Martlet does not support yet.
    static var fields: [Field<Self>] { get }
}

extension SchemaObject {
    /// Reads the object.
    /// - Throws: `SchemaError`, with the path of the field at fault.
    public init(from decoder: any Decoder) throws {
        let reader = try ObjectReader(decoder)
        try reader.refuseUnknown(known: Self.fields.map(\.key))
        self.init()
        for field in Self.fields {
            if field.isRequired && !reader.contains(field.key) {
                throw SchemaError.missing(path: reader.path(of: field.key))
            }
            try field.decode(&self, reader)
        }
    }

    /// Writes all fields, leaving out those that are not set.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: FieldName.self)
        for field in Self.fields {
            try field.encode(self, &container)
        }
    }
}

/// The key of a field; any text, so that unknown keys are seen.
struct FieldName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) {
        stringValue = name
    }

    init?(stringValue: String) {
        self.init(stringValue)
    }

    init?(intValue: Int) {
        nil
    }
}

/// Reads the fields of one JSON object and turns every failure into one that names the field.
struct ObjectReader {
    private let container: KeyedDecodingContainer<FieldName>

    init(_ decoder: any Decoder) throws(SchemaError) {
        do {
            container = try decoder.container(keyedBy: FieldName.self)
        } catch {
            throw .wrongType(path: Self.path(decoder.codingPath), expected: "an object")
        }
    }

    /// The path of a field of this object from the root of the body.
    func path(of key: String) -> String {
        Self.path(container.codingPath + [FieldName(key)])
    }

    func refuseUnknown(known: [String]) throws(SchemaError) {
        let unknown = container.allKeys.map(\.stringValue).filter { !known.contains($0) }
        // Sorted, since the order of the keys is not kept and the answer shall not vary.
        if let first = unknown.min() {
            throw .unknownField(path: path(of: first), known: known)
        }
    }

    /// Whether the field is there, be it null.
    func contains(_ key: String) -> Bool {
        container.contains(FieldName(key))
    }

    /// Whether the field is absent or null.
    func isUnset(_ key: String) -> Bool {
        guard contains(key) else { return true }
        return (try? container.decodeNil(forKey: FieldName(key))) ?? false
    }

    /// Whether the field is a list without elements.
    func isEmptyList(_ key: String) -> Bool {
        (try? container.nestedUnkeyedContainer(forKey: FieldName(key)))?.count == 0
    }

    /// The value of a field that is there.
    /// - Parameter expected: What the field takes, for the error.
    func value<Value: Decodable>(
        _ type: Value.Type, _ key: String, expected: String
    ) throws(SchemaError) -> Value {
        do {
            return try container.decode(type, forKey: FieldName(key))
        } catch let error as SchemaError {
            throw error
        } catch DecodingError.typeMismatch(_, let context) {
            throw .wrongType(path: deepest(context, key), expected: expected)
        } catch {
            throw .wrongType(path: path(of: key), expected: expected)
        }
    }

    /// The path that the decoder reports, where it is at or below the field.
    private func deepest(_ context: DecodingError.Context, _ key: String) -> String {
        context.codingPath.count > container.codingPath.count
            ? Self.path(context.codingPath) : path(of: key)
    }

    /// `[disks, 0, path]` as `disks[0].path`.
    static func path(_ keys: [any CodingKey]) -> String {
        var path = ""
        for key in keys {
            if let index = key.intValue {
                path += "[\(index)]"
            } else {
                path += path.isEmpty ? key.stringValue : ".\(key.stringValue)"
            }
        }
        return path.isEmpty ? "The body" : path
    }
}
