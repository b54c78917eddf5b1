extension MigrationTimelineReport {
    /// A pass over the memory, or neighbouring ones that were put together.
    public struct Round: Codable, Equatable, Sendable {
        /// The number of the first, from 0.
        public var number: UInt64
        /// How many they are.
        public var count: UInt64
        /// When the first began.
        public var atMilliseconds: Double
        /// How long they took.
        public var milliseconds: Double
        /// Pages that were to be sent.
        public var pages: UInt64
        /// Bytes of content that were sent; pages of zeros have none.
        public var bytes: UInt64
        /// Bytes of content per second.
        public var rateBytesPerSecond: UInt64
        /// Bytes of pages that the guest wrote to meanwhile; none for a guest that stood still.
        public var dirtiedBytes: UInt64?
        /// The same per second.
        public var dirtyRateBytesPerSecond: UInt64?

        /// A pass without figures.
        public init(number: UInt64, count: UInt64) {
            self.number = number
            self.count = count
            atMilliseconds = 0
            milliseconds = 0
            pages = 0
            bytes = 0
            rateBytesPerSecond = 0
        }

        private enum CodingKeys: String, CodingKey {
            case number, count, pages, bytes
            case atMilliseconds = "at_ms"
            case milliseconds = "ms"
            case rateBytesPerSecond = "rate_bytes_per_second"
            case dirtiedBytes = "dirtied_bytes"
            case dirtyRateBytesPerSecond = "dirty_rate_bytes_per_second"
        }
    }

    /// How far the migration was at one moment.
    public struct Sample: Codable, Equatable, Sendable {
        /// When.
        public var atMilliseconds: Double
        /// Bytes sent, or received at the destination, so far.
        public var bytesSent: UInt64 = 0
        /// Bytes of those that did not go over the wire because they were compressed.
        public var bytesSaved: UInt64 = 0
        /// Bytes of memory that were told as zeros instead of being sent.
        public var bytesZero: UInt64 = 0
        /// Bytes that the pass still had to send.
        public var bytesRemaining: UInt64 = 0
        /// Bytes per second since the sample before.
        public var rateBytesPerSecond: UInt64 = 0
        /// Bytes per second that the guest dirtied in the last pass.
        public var dirtyRateBytesPerSecond: UInt64 = 0
        /// The blackout there would have been.
        public var predictedBlackoutMilliseconds: Double?
        /// The share of time for which vCPUs were held back, in percent.
        public var throttlePercent: UInt64 = 0
        /// Connections that carried memory.
        public var connections: UInt64 = 0

        /// A moment of which nothing else is known.
        public init(atMilliseconds: Double) {
            self.atMilliseconds = atMilliseconds
        }

        private enum CodingKeys: String, CodingKey {
            case connections
            case atMilliseconds = "at_ms"
            case bytesSent = "bytes_sent"
            case bytesSaved = "bytes_saved"
            case bytesZero = "bytes_zero"
            case bytesRemaining = "bytes_remaining"
            case rateBytesPerSecond = "rate_bytes_per_second"
            case dirtyRateBytesPerSecond = "dirty_rate_bytes_per_second"
            case predictedBlackoutMilliseconds = "predicted_blackout_ms"
            case throttlePercent = "throttle_percent"
        }
    }
}

/// The value of one setting, whatever its type.
public enum SettingValue: Codable, Equatable, Sendable, CustomStringConvertible {
    /// Yes or no.
    case flag(Bool)
    /// A whole number.
    case number(UInt64)
    /// Another number.
    case real(Double)
    /// A text.
    case text(String)

    /// Reads what is there.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Bool.self) {
            self = .flag(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .number(value)
        } else if let value = try? container.decode(Double.self) {
            self = .real(value)
        } else {
            self = .text(try container.decode(String.self))
        }
    }

    /// Writes the value alone.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .flag(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .real(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        }
    }

    /// As option strings have it.
    public var description: String {
        switch self {
        case .flag(let value): value ? "on" : "off"
        case .number(let value): "\(value)"
        case .real(let value): "\(value)"
        case .text(let value): value
        }
    }

    /// The fields of an object that have plain values, or lists of texts.
    public static func settings(of object: some SchemaObject) -> [String: SettingValue] {
        // What a schema's table writes can be read again.
        (try? JSONBody.decode(PlainFields.self, from: JSONBody.encode(object)))?.values ?? [:]
    }
}

/// Those fields of any object that have plain values; lists of texts become one text.
private struct PlainFields: Decodable {
    var values: [String: SettingValue] = [:]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: FieldName.self)
        for key in container.allKeys {
            if let value = try? container.decode(SettingValue.self, forKey: key) {
                values[key.stringValue] = value
            } else if let texts = try? container.decode([String].self, forKey: key) {
                values[key.stringValue] = .text(texts.joined(separator: ","))
            }
        }
    }
}
