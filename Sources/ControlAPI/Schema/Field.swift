/// One field of a `SchemaObject`: its key in JSON and in option strings, and how it is read and
/// written.
public struct Field<Root: SchemaObject>: Sendable {
    typealias Container = KeyedEncodingContainer<FieldName>

    /// The path from an object to the value of a field.
    public typealias Path<Value> = any WritableKeyPath<Root, Value> & Sendable

    /// The key in JSON.
    let key: String
    /// The keys in an option string; none when the field cannot be given there.
    let optionKeys: [String]
    /// Whether it must be given.
    var isRequired = false
    /// Whether Martlet takes more than Cloud Hypervisor's default; only then it is offered.
    var isSupported = true
    /// The values that option strings can have, where they are few.
    var optionValues: [String] = []
    /// Reads the field into the object; does nothing when it is not there.
    let decode: @Sendable (inout Root, ObjectReader) throws(SchemaError) -> Void
    /// Writes the field, if it is set.
    let encode: @Sendable (Root, inout Container) throws -> Void
    /// Reads the field from an option string.
    let parse: @Sendable (inout Root, OptionEntry) throws(OptionError) -> Void
}

// MARK: - Fields with one value

extension Field {
    /// A field that may be left out and then has the default of its object.
    /// - Parameters:
    ///   - option: The key in option strings, where it differs.
    ///   - supported: The values that are supported, where it is not all.
    static func value<Value: SchemaValue>(
        _ key: String, _ path: Path<Value>, option: String? = nil, supported: [Value]? = nil
    ) -> Field {
        single(
            key, options: [option ?? key], supported: supported, isNullable: false,
            get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    /// A field that may be unset: null, or left out.
    static func optional<Value: SchemaValue>(
        _ key: String, _ path: Path<Value?>, supported: [Value]? = nil
    ) -> Field {
        single(
            key, options: [key], supported: supported, isNullable: true,
            get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    /// A field that must be given.
    static func required<Value: SchemaValue>(_ key: String, _ path: Path<Value>) -> Field {
        var field = value(key, path)
        field.isRequired = true
        return field
    }

    /// A field which Martlet accepts at Cloud Hypervisor's default only.
    /// - Parameter options: The keys in option strings that set it.
    static func unsupported<Value: SchemaValue>(
        _ key: String, default value: Value, options: [String]? = nil
    ) -> Field {
        var field = single(
            key, options: options ?? [key], supported: [value], isNullable: false,
            get: { _ in value }, set: { _, _ in })
        field.isSupported = false
        return field
    }

    /// A field which Martlet accepts unset only, or as an empty list.
    /// - Parameter options: The keys in option strings that set it.
    static func unsupported(_ key: String, options: [String]? = nil) -> Field {
        Field(
            key: key, optionKeys: options ?? [key], isSupported: false,
            decode: { (_, reader) throws(SchemaError) in
                if !reader.isUnset(key) && !reader.isEmptyList(key) {
                    throw .unsupported(path: reader.path(of: key), supported: "leaving it out")
                }
            },
            encode: { _, _ in },
            parse: { (_, entry) throws(OptionError) in
                throw entry.unsupported("leaving it out")
            })
    }

    static func single<Value: SchemaValue>(
        _ key: String, options: [String], supported: [Value]?, isNullable: Bool,
        get: @escaping @Sendable (Root) -> Value?,
        set: @escaping @Sendable (inout Root, Value) -> Void
    ) -> Field {
        Field(
            key: key, optionKeys: options,
            optionValues: Value.optionValues.filter { text in
                guard let supported else { return true }
                return Value(option: text).map(supported.contains) ?? false
            },
            decode: { (root, reader) throws(SchemaError) in
                guard isNullable ? !reader.isUnset(key) : reader.contains(key) else { return }
                let value = try reader.value(Value.self, key, expected: Value.expectation)
                if let supported, !supported.contains(value) {
                    throw .unsupported(path: reader.path(of: key), supported: list(supported))
                }
                set(&root, value)
            },
            encode: { root, container in
                try container.encodeIfPresent(get(root), forKey: FieldName(key))
            },
            parse: { (root, entry) throws(OptionError) in
                let value: Value = try entry.value()
                if let supported, !supported.contains(value) {
                    throw entry.unsupported(list(supported))
                }
                set(&root, value)
            })
    }

    private static func list<Value: SchemaValue>(_ values: [Value]) -> String {
        values.map { "\($0)" }.joined(separator: ", ")
    }
}

// MARK: - Fields with objects

extension Field {
    /// An object inside this one.
    static func object<Value: SchemaObject>(_ key: String, _ path: Path<Value>) -> Field {
        structured(
            key, expected: "an object", isNullable: false,
            get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    /// An object inside this one that may be unset.
    static func optional<Value: SchemaObject>(_ key: String, _ path: Path<Value?>) -> Field {
        structured(
            key, expected: "an object", isNullable: true,
            get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    /// A list of objects; unset and empty are the same, and neither is written.
    static func list<Value: SchemaObject>(_ key: String, _ path: Path<[Value]>) -> Field {
        structured(
            key, expected: "a list of objects", isNullable: true,
            get: { $0[keyPath: path].isEmpty ? nil : $0[keyPath: path] },
            set: { $0[keyPath: path] = $1 })
    }

    /// Fields with structure have no key in option strings: they are options of their own.
    private static func structured<Value: Codable & SendableMetatype>(
        _ key: String, expected: String, isNullable: Bool,
        get: @escaping @Sendable (Root) -> Value?,
        set: @escaping @Sendable (inout Root, Value) -> Void
    ) -> Field {
        Field(
            key: key, optionKeys: [],
            decode: { (root, reader) throws(SchemaError) in
                guard isNullable ? !reader.isUnset(key) : reader.contains(key) else { return }
                set(&root, try reader.value(Value.self, key, expected: expected))
            },
            encode: { root, container in
                try container.encodeIfPresent(get(root), forKey: FieldName(key))
            },
            parse: { (_, entry) throws(OptionError) in
                throw entry.unsupported("giving it in JSON")
            })
    }
}

// MARK: - Fields of every PCI device

extension Field {
    /// The fields that every device on the PCI bus has.
    static func device(id: Path<String?>, slot: Path<UInt8?>) -> [Field] {
        [
            .optional("id", id),
            .unsupported("iommu", default: false),
            .unsupported("pci_segment", default: UInt16(0)),
            .optional("pci_device_id", slot),
        ]
    }
}
