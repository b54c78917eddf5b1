import ControlAPI
import LinuxSystem
import Migration

/// What the engines wrote down, in the words of the API.
extension MigrationTimelineReport {
    /// A timeline.
    ///
    /// - Parameters:
    ///   - end: which end wrote it.
    ///   - settings: what the migration was asked for.
    ///   - progress: where the migration stands, or how it ended.
    init(
        _ timeline: MigrationTimeline, _ end: End, settings: [String: SettingValue],
        progress: MigrationProgressReport
    ) {
        self.init(end: end, progress: progress)
        program = Version.build
        self.settings = settings
        beganAt = timeline.beganAt.map { Self.time(nanosecondsSince1970: $0) }
        phases = timeline.steps.map {
            Step(phase: $0.phase.rawValue, atMilliseconds: milliseconds($0.at))
        }
        rounds = timeline.rounds.map(Round.init)
        var before: MigrationTimeline.Sample?
        samples = timeline.samples.map { sample in
            defer { before = sample }
            return Sample(sample, after: before)
        }
        notes = timeline.notes.map {
            Note(atMilliseconds: milliseconds($0.at), text: $0.text)
        }
        missingNotes = timeline.missingNotes
        blackout = timeline.blackout.map(Blackout.init)
    }
}

extension MigrationTimelineReport.Round {
    fileprivate init(_ round: MigrationTimeline.Round) {
        self.init(number: round.number, count: round.count)
        atMilliseconds = VMM.milliseconds(round.at)
        milliseconds = VMM.milliseconds(round.nanoseconds)
        pages = round.pages
        bytes = round.bytes
        rateBytesPerSecond = perSecond(round.bytes, in: round.nanoseconds)
        dirtiedBytes = round.dirtiedBytes
        dirtyRateBytesPerSecond = round.dirtiedBytes.map { perSecond($0, in: round.nanoseconds) }
    }
}

extension MigrationTimelineReport.Sample {
    fileprivate init(_ sample: MigrationTimeline.Sample, after before: MigrationTimeline.Sample?) {
        self.init(atMilliseconds: milliseconds(sample.at))
        bytesSent = sample.bytesSent
        bytesSaved = sample.bytesSaved
        bytesZero = sample.bytesZero
        bytesRemaining = sample.bytesRemaining
        if let before, sample.at > before.at, sample.bytesSent > before.bytesSent {
            rateBytesPerSecond = perSecond(
                sample.bytesSent - before.bytesSent, in: sample.at - before.at)
        }
        dirtyRateBytesPerSecond = sample.dirtyBytesPerSecond
        predictedBlackoutMilliseconds = sample.predictedBlackoutMilliseconds.map { Double($0) }
        throttlePercent = sample.throttlePercent
        connections = sample.connections
    }
}

extension MigrationTimelineReport.Blackout {
    fileprivate init(_ blackout: MigrationTimeline.Blackout) {
        self.init(
            atMilliseconds: VMM.milliseconds(blackout.at),
            milliseconds: VMM.milliseconds(blackout.nanoseconds),
            parts: blackout.parts.map {
                MigrationResult.BlackoutPhase(
                    phase: $0.name, milliseconds: VMM.milliseconds($0.nanoseconds))
            })
    }
}

/// Nanoseconds as milliseconds, with three digits after the point.
func milliseconds(_ nanoseconds: UInt64) -> Double {
    Double(nanoseconds / 1000) / 1000
}

/// Bytes per second; 0 where no time has passed.
private func perSecond(_ bytes: UInt64, in nanoseconds: UInt64) -> UInt64 {
    guard nanoseconds > 0 else { return 0 }
    let rate = Double(bytes) / Double(nanoseconds) * 1e9
    return UInt64(exactly: rate.rounded()) ?? .max
}

/// The file that gets the timeline of the running migration.
///
/// It is opened before the migration begins: a path that is no use is refused then, when something
/// can be done about it.
final class TimelineFile: Sendable {
    private let descriptor: OwnedDescriptor

    /// Makes the file, or empties it.
    init(path: String) throws(SystemError) {
        descriptor = try OwnedDescriptor(
            opening: path, [.write, .create, .truncate, .nonblocking],
            advice: "timeline= names a file that the VMM can write")
    }

    /// Writes the timeline.
    func write(_ report: MigrationTimelineReport) throws(SystemError) {
        try descriptor.writeAll(JSONBody.encode(report, isPretty: true) + [UInt8(ascii: "\n")])
    }
}
