import FoundationEssentials

/// Why a Config payload cannot be written or read.
public enum ConfigError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The payload is longer than a peer accepts.
    case tooLarge(byteCount: Int)
    /// Arrays and objects are nested deeper than any configuration is.
    case tooDeep
    /// The payload is not the JSON object that it should be; `reason` names the key.
    case malformed(reason: String)

    /// One sentence: what is wrong with which key.
    public var description: String {
        switch self {
        case .tooLarge(let byteCount):
            "A configuration of \(byteCount) bytes is above the limit of "
                + "\(Limits.maximumConfigBytes)."
        case .tooDeep:
            "A configuration is nested deeper than \(ConfigPayload.maximumDepth) levels."
        case .malformed(let reason):
            "A configuration cannot be read: \(reason)."
        }
    }
}

extension ConfigPayload {
    /// How deep arrays and objects may nest. The decoder recurses, so a peer must not choose it.
    static let maximumDepth = 64

    /// Reads a payload.
    public init(decoding bytes: [UInt8]) throws(ConfigError) {
        guard bytes.count <= Limits.maximumConfigBytes else {
            throw .tooLarge(byteCount: bytes.count)
        }
        let document = try Self.decode(Document.self, from: bytes)
        guestConfiguration = try Self.encode(document.guestConfiguration)
        processorFeatures = document.processorFeatures ?? []
        memory = document.memory
        martlet = document.martlet
    }

    /// The bytes of the payload; equal payloads give equal bytes.
    public func encoded() throws(ConfigError) -> [UInt8] {
        let bytes = try Self.encode(
            Document(
                guestConfiguration: try Self.decode(JSONValue.self, from: guestConfiguration),
                processorFeatures: processorFeatures, memory: memory, martlet: martlet))
        guard bytes.count <= Limits.maximumConfigBytes else {
            throw .tooLarge(byteCount: bytes.count)
        }
        return bytes
    }

    /// The object on the wire.
    private struct Document: Codable {
        var guestConfiguration: JSONValue
        var processorFeatures: [ProcessorFeatureEntry]?
        var memory: MemoryDescription
        var martlet: MartletDescription?

        enum CodingKeys: String, CodingKey {
            case guestConfiguration = "vm_config"
            case processorFeatures = "common_cpuid"
            case memory = "memory_manager_data"
            case martlet
        }
    }

    private static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8]
    ) throws(ConfigError) -> Value {
        guard depth(of: bytes) <= maximumDepth else { throw .tooDeep }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw .malformed(reason: reason(error))
        }
    }

    private static func encode(_ value: some Encodable) throws(ConfigError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value))
        } catch {
            throw .malformed(reason: reason(error))
        }
    }

    /// The deepest nesting in JSON text, found without decoding it.
    private static func depth(of bytes: [UInt8]) -> Int {
        var depth = 0
        var deepest = 0
        var isInText = false
        var isEscaped = false
        for byte in bytes {
            switch (byte, isInText) {
            case (_, true) where isEscaped: isEscaped = false
            case (UInt8(ascii: "\\"), true): isEscaped = true
            case (UInt8(ascii: "\""), _): isInText.toggle()
            case (UInt8(ascii: "["), false), (UInt8(ascii: "{"), false):
                depth += 1
                deepest = max(deepest, depth)
            case (UInt8(ascii: "]"), false), (UInt8(ascii: "}"), false): depth -= 1
            default: break
            }
        }
        return deepest
    }

    private static func reason(_ error: any Error) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            return "\(path(context)) has no key \(key.stringValue)"
        case DecodingError.typeMismatch(_, let context),
            DecodingError.valueNotFound(_, let context):
            return "\(path(context)) has another type than expected"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            return "\(path(context)) has an impossible value"
        default:
            return "it is no JSON text, or a number does not fit its key"
        }
    }
}

/// Any JSON text, to carry a part of a document unread.
private enum JSONValue: Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .unsigned(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .unsigned(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
