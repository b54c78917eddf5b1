/// The blackout of one migration by phase, on the source's clock, in nanoseconds.
///
/// It begins when the source starts to stop the vCPUs, a moment before the last of them stands
/// still, and ends when the destination's Running is received.
public struct Blackout: Hashable, Sendable {
    /// The parts, in their order.
    public enum Phase: Int, CaseIterable, Sendable {
        /// vCPUs stopped, devices drained.
        case stop
        /// The last dirty pages found and sent.
        case finalMemory
        /// State taken.
        case state
        /// State sent, loaded by the destination, and Ready received.
        case ready
        /// Backends let go.
        case release
        /// Takeover sent and Running received.
        case takeover

        /// The name in logs.
        public var name: String {
            switch self {
            case .stop: "stop"
            case .finalMemory: "final memory"
            case .state: "state"
            case .ready: "wait ready"
            case .release: "release"
            case .takeover: "takeover"
            }
        }

        /// The name in reports that programs read, in one word: `final-memory`.
        public var nameInReports: String {
            name.split(separator: " ").joined(separator: "-")
        }
    }

    private var parts: [6 of UInt64] = [0, 0, 0, 0, 0, 0]

    /// Nothing yet.
    public init() {}

    /// Time of one part.
    public subscript(phase: Phase) -> UInt64 {
        get { parts[phase.rawValue] }
        set { parts[phase.rawValue] = newValue }
    }

    /// All parts together.
    public var total: UInt64 { Phase.allCases.reduce(0) { $0 &+ self[$1] } }

    /// Compares the parts.
    public static func == (left: Blackout, right: Blackout) -> Bool {
        Phase.allCases.allSatisfy { left[$0] == right[$0] }
    }

    /// Hashes the parts.
    public func hash(into hasher: inout Hasher) {
        for phase in Phase.allCases { hasher.combine(self[phase]) }
    }
}

/// What a successful migration took, as the source saw it.
public struct MigrationSummary: Hashable, Sendable {
    /// How memory got to the destination.
    public var mode: MigrationOptions.Mode
    /// From the start to Running, in nanoseconds.
    public var totalNanoseconds: UInt64
    /// Bytes of guest memory that went over the wire.
    public var memoryBytes: UInt64
    /// Rounds, the last one during the blackout included.
    public var iterations: UInt64
    /// How long no vCPU ran; all zero for a guest that was paused by its owner.
    public var blackout: Blackout
    /// The blackout as it was predicted when the guest was paused, in nanoseconds; nil where there
    /// was no reason to predict one.
    public var predictedBlackout: UInt64?
}

extension MigrationSummary: CustomStringConvertible {
    /// The line in the log.
    public var description: String {
        let parts = Blackout.Phase.allCases.map { phase in
            "\(phase.name) \(milliseconds(blackout[phase]))"
        }
        return "\(mode.rawValue) migration took \(milliseconds(totalNanoseconds)) ms, "
            + "\(memoryBytes) bytes of memory in \(iterations) iterations; blackout "
            + "\(milliseconds(blackout.total)) ms (\(parts.joined(separator: ", ")))"
    }
}

/// Nanoseconds as milliseconds with three digits after the point.
private func milliseconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds / 1000 % 1000)
    return "\(nanoseconds / 1_000_000)." + String(repeating: "0", count: 3 - fraction.count)
        + fraction
}
