/// A number of bytes: a plain number in JSON, and with K, M or G (binary) in option strings.
struct ByteSize: SchemaValue, CustomStringConvertible {
    let bytes: UInt64

    static let expectation = "a number of bytes from 0 to \(UInt64.max)"

    init(_ bytes: UInt64) {
        self.bytes = bytes
    }

    /// Reads `512M`; nil when it is no number or does not fit.
    init?(option: String) {
        let shift: UInt64
        switch option.last {
        case "K", "k": shift = 10
        case "M", "m": shift = 20
        case "G", "g": shift = 30
        default: shift = 0
        }
        guard let number = UInt64(shift == 0 ? option[...] : option.dropLast(), radix: 10) else {
            return nil
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !overflow else { return nil }
        self.init(bytes)
    }

    init(from decoder: any Decoder) throws {
        bytes = try decoder.singleValueContainer().decode(UInt64.self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }

    var description: String { "\(bytes)" }
}

extension Field {
    /// A number of bytes.
    /// - Parameter option: The key in option strings, where it differs.
    static func size(_ key: String, _ path: Path<UInt64>, option: String? = nil) -> Field {
        single(
            key, options: [option ?? key], supported: [ByteSize]?.none, isNullable: false,
            get: { ByteSize($0[keyPath: path]) }, set: { $0[keyPath: path] = $1.bytes })
    }

    /// A number of bytes that must be given.
    /// - Parameter option: The key in option strings, where it differs.
    static func requiredSize(_ key: String, _ path: Path<UInt64>, option: String? = nil) -> Field {
        var field = size(key, path, option: option)
        field.isRequired = true
        return field
    }

    /// A number of bytes that may be unset.
    static func optionalSize(
        _ key: String, _ path: Path<UInt64?>, supported: [UInt64]? = nil
    ) -> Field {
        single(
            key, options: [key], supported: supported?.map(ByteSize.init), isNullable: true,
            get: { $0[keyPath: path].map(ByteSize.init) },
            set: { $0[keyPath: path] = $1.bytes })
    }
}
