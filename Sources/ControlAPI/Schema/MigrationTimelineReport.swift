internal import FoundationEssentials

/// The answer of `vm.migration-timeline`, and the contents of the file that `timeline=PATH` asks
/// for: what happened in a migration and when, as this end saw it. All times (`at_ms`) count from
/// the beginning of the migration. It is Martlet's own; Cloud Hypervisor has no such call.
///
/// It is bounded: a long migration has fewer samples for each second, and passes over the memory
/// that are put together.
public struct MigrationTimelineReport: Codable, Equatable, Sendable {
    /// The version of this format: programs refuse what they do not know.
    public static let currentVersion: UInt64 = 1

    /// An end of a migration.
    public enum End: String, Codable, Sendable {
        /// There was no migration.
        case none
        /// The guest left, or was to leave.
        case source
        /// The guest came, or was to come.
        case destination
    }

    /// The version of this format.
    public var version = currentVersion
    /// Which end wrote this.
    public var end: End
    /// The program that wrote this, with its version.
    public var program = ""
    /// When the migration began, in UTC by ISO 8601; unknown before.
    public var beganAt: String?
    /// What the migration was asked for: the body of `vm.send-migration` or of
    /// `vm.receive-migration`, its defaults written out.
    public var settings: [String: SettingValue] = [:]
    /// Where the migration stands, or how it ended.
    public var progress: MigrationProgressReport
    /// The steps, in their order.
    public var phases: [Step] = []
    /// The passes over the memory, in their order; at the source only.
    public var rounds: [Round] = []
    /// How far the migration was, moment by moment.
    public var samples: [Sample] = []
    /// What was decided, in words.
    public var notes: [Note] = []
    /// Notes for which there was no room.
    public var missingNotes: UInt64 = 0
    /// The time in which no vCPU ran, as far as this end takes part in it; none before.
    public var blackout: Blackout?

    /// A step was entered.
    public struct Step: Codable, Equatable, Sendable {
        /// The step, as in `MigrationProgressReport`.
        public var phase: String
        /// When.
        public var atMilliseconds: Double

        /// A step.
        public init(phase: String, atMilliseconds: Double) {
            self.phase = phase
            self.atMilliseconds = atMilliseconds
        }

        private enum CodingKeys: String, CodingKey {
            case phase
            case atMilliseconds = "at_ms"
        }
    }

    /// Something that was decided.
    public struct Note: Codable, Equatable, Sendable {
        /// When.
        public var atMilliseconds: Double
        /// What.
        public var text: String

        /// A note.
        public init(atMilliseconds: Double, text: String) {
            self.atMilliseconds = atMilliseconds
            self.text = text
        }

        private enum CodingKeys: String, CodingKey {
            case atMilliseconds = "at_ms"
            case text
        }
    }

    /// A blackout of the guest.
    public struct Blackout: Codable, Equatable, Sendable {
        /// When it began.
        public var atMilliseconds: Double
        /// How long all parts took that have ended.
        public var milliseconds: Double
        /// The parts, in order.
        public var parts: [MigrationResult.BlackoutPhase]

        /// A blackout of which some parts have ended.
        public init(
            atMilliseconds: Double, milliseconds: Double, parts: [MigrationResult.BlackoutPhase]
        ) {
            self.atMilliseconds = atMilliseconds
            self.milliseconds = milliseconds
            self.parts = parts
        }

        private enum CodingKeys: String, CodingKey {
            case atMilliseconds = "at_ms"
            case milliseconds = "ms"
            case parts
        }
    }

    /// A timeline in which nothing has happened yet.
    public init(end: End, progress: MigrationProgressReport) {
        self.end = end
        self.progress = progress
    }

    /// A point in time as `beganAt` has it.
    public static func time(nanosecondsSince1970 nanoseconds: UInt64) -> String {
        let date = Date(timeIntervalSince1970: Double(nanoseconds / 1_000_000_000))
        // The formatter cuts off what it thinks is the third digit, which may be one too few.
        let milliseconds = String(nanoseconds / 1_000_000 % 1000 + 1000).dropFirst()
        return date.formatted(Date.ISO8601FormatStyle()).dropLast() + ".\(milliseconds)Z"
    }

    /// The timeline of a VMM that has neither sent nor received a guest.
    public static let none = MigrationTimelineReport(end: .none, progress: .none)

    private enum CodingKeys: String, CodingKey {
        case version, end, program
        case beganAt = "began_at"
        case settings, progress, phases, rounds, samples, notes
        case missingNotes = "missing_notes"
        case blackout
    }
}
