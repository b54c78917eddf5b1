/// Writes a timeline in bounded memory: a long migration is told more coarsely.
///
/// Samples begin at 10 ms from each other. When there are too many, every second one is dropped and
/// the distance doubles, so that what is left covers the whole time evenly. Rounds are put
/// together in pairs, but for the first, which is unlike all others, and the latest.
struct TimelineRecorder {
    /// Most samples: more than a plot has room for.
    static let sampleLimit = 512
    /// Most rounds.
    static let roundLimit = 256
    /// Rounds at the end that are not put together.
    static let latestRounds = 32
    /// Most notes, and most steps.
    static let noteLimit = 64

    /// What was written.
    private(set) var timeline = MigrationTimeline()

    /// The least distance of two samples, in nanoseconds.
    private(set) var spacing: UInt64 = 10_000_000

    /// The migration begins.
    mutating func begin(realTime: UInt64) {
        timeline.beganAt = realTime
    }

    /// A step is entered.
    mutating func enter(_ progress: MigrationProgress, at now: UInt64) {
        guard timeline.steps.count < Self.noteLimit else { return }
        timeline.steps.append(MigrationTimeline.Step(phase: progress.phase, at: now))
        append(Self.sample(of: progress, at: now))
    }

    /// Progress was made: takes a sample if the last one is old enough.
    mutating func advance(_ progress: MigrationProgress, at now: UInt64) {
        if let last = timeline.samples.last, now < last.at &+ spacing { return }
        append(Self.sample(of: progress, at: now))
    }

    /// A round is over.
    mutating func add(_ round: MigrationTimeline.Round) {
        if timeline.rounds.count >= Self.roundLimit { mergeRounds() }
        timeline.rounds.append(round)
    }

    /// What the guest wrote to during the last round.
    mutating func lastRoundDirtied(_ bytes: UInt64) {
        guard let last = timeline.rounds.indices.last else { return }
        timeline.rounds[last].dirtiedBytes = bytes
    }

    /// Something was decided.
    mutating func note(_ text: String, at now: UInt64) {
        guard timeline.notes.count < Self.noteLimit else {
            timeline.missingNotes &+= 1
            return
        }
        timeline.notes.append(MigrationTimeline.Note(at: now, text: text))
    }

    /// Replaces what is known of the blackout.
    mutating func set(_ blackout: MigrationTimeline.Blackout) {
        timeline.blackout = blackout
    }

    /// Ends a part of the blackout, which begins with the first part.
    mutating func endPart(_ name: String, at now: UInt64) {
        guard var blackout = timeline.blackout else { return }
        let begin = blackout.at &+ blackout.nanoseconds
        blackout.parts.append(
            MigrationTimeline.Blackout.Part(
                name: name, nanoseconds: now > begin ? now - begin : 0))
        timeline.blackout = blackout
    }

    /// The moment `now`.
    static func sample(
        of progress: MigrationProgress, at now: UInt64
    ) -> MigrationTimeline.Sample {
        MigrationTimeline.Sample(
            at: now, bytesSent: progress.bytesSent, bytesSaved: progress.bytesSaved,
            bytesZero: progress.bytesZero, bytesRemaining: progress.bytesRemaining,
            dirtyBytesPerSecond: progress.dirtyBytesPerSecond,
            predictedBlackoutMilliseconds: progress.predictedBlackoutNanoseconds.map {
                $0 / 1_000_000
            },
            throttlePercent: progress.throttlePercent, connections: progress.connections)
    }

    private mutating func append(_ sample: MigrationTimeline.Sample) {
        if timeline.samples.count >= Self.sampleLimit {
            timeline.samples = timeline.samples.enumerated().filter { $0.offset % 2 == 0 }
                .map(\.element)
            spacing &*= 2
        }
        timeline.samples.append(sample)
    }

    private mutating func mergeRounds() {
        let old = timeline.rounds
        let latest = old.count - Self.latestRounds
        var rounds = Array(old.prefix(1))
        var index = 1
        while index + 1 < latest {
            rounds.append(old[index].joined(old[index + 1]))
            index += 2
        }
        timeline.rounds = rounds + old[index...]
    }
}

extension MigrationTimeline.Round {
    /// This and the next one.
    fileprivate func joined(_ next: MigrationTimeline.Round) -> MigrationTimeline.Round {
        var both = self
        both.count &+= next.count
        both.nanoseconds &+= next.nanoseconds
        both.pages &+= next.pages
        both.bytes &+= next.bytes
        if let dirtied = dirtiedBytes, let more = next.dirtiedBytes {
            both.dirtiedBytes = dirtied &+ more
        }
        return both
    }
}
