/// A value in an argument of one of QEMU's commands.
enum MonitorValue: Encodable {
    case flag(Bool)
    case number(UInt64)
    case text(String)
    case list([MonitorValue])
    case object([String: MonitorValue])

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .flag(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

/// A command, as QEMU reads it.
///
/// Source: docs/interop/qmp-spec.rst of QEMU, "Issuing Commands".
struct MonitorCommand: Encodable {
    var execute: String
    var arguments: [String: MonitorValue]
}

/// A line that QEMU writes: an answer, a refusal, or an event, which has neither.
///
/// Source: docs/interop/qmp-spec.rst of QEMU, "Commands Responses" and "Asynchronous events".
struct MonitorLine<Answer: Decodable>: Decodable {
    var answer: Answer?
    var refusal: Refusal?

    struct Refusal: Decodable {
        var desc: String
    }

    private enum CodingKeys: String, CodingKey {
        case answer = "return"
        case refusal = "error"
    }
}

/// An answer in which nothing is looked for.
struct NoAnswer: Decodable {}

/// What `query-migrate` answers, as far as it is looked at.
///
/// Source: qapi/migration.json of QEMU, `MigrationInfo` and `MigrationStats`.
struct MonitorMigration: Decodable {
    var status: String?
    var totalMilliseconds: UInt64?
    var downtimeMilliseconds: UInt64?
    var ram: Memory?
    var reason: String?

    struct Memory: Decodable {
        /// Megabits per second.
        var mbps: Double
        var transferred: UInt64
    }

    private enum CodingKeys: String, CodingKey {
        case status, ram
        case totalMilliseconds = "total-time"
        case downtimeMilliseconds = "downtime"
        case reason = "error-desc"
    }
}
