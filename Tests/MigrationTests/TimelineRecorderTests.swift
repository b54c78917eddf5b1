import LinuxSystem
import Testing

@testable import Migration

/// A timeline stays small however long the migration takes, and tells the whole of it.
@Suite struct TimelineRecorderTests {
    private static let millisecond: UInt64 = 1_000_000

    private func progress(_ sent: UInt64) -> MigrationProgress {
        var progress = MigrationProgress(phase: .memory)
        progress.bytesSent = sent
        return progress
    }

    @Test func samplesOfALongMigrationAreThinnedEvenly() throws {
        var recorder = TimelineRecorder()
        for step in 0..<1_000_000 as Range<UInt64> {
            recorder.advance(progress(step), at: step * Self.millisecond)
        }

        let samples = recorder.timeline.samples
        #expect(samples.count <= TimelineRecorder.sampleLimit)
        #expect(samples.count >= TimelineRecorder.sampleLimit / 2)
        #expect(samples.first?.at == 0)
        #expect(try #require(samples.last).at > 990_000 * Self.millisecond)
        let gaps = zip(samples, samples.dropFirst()).map { $1.at - $0.at }
        #expect(try #require(gaps.min()) * 2 >= #require(gaps.max()))
        for sample in samples { #expect(sample.bytesSent == sample.at / Self.millisecond) }
    }

    /// Each batch that is sent asks for the time: that must cost as much at the end as at first.
    @Test func boardOfALongMigrationDoesNotGetSlower() {
        let board = ProgressBoard(phase: .memory)
        board.begin(.memory) { .now }
        for _ in 0..<300_000 { board.sent(1, stored: 1) }
        #expect(board.snapshot(at: .now).bytesSent == 300_000)
    }

    @Test func samplesOfAShortMigrationAreAllKept() {
        var recorder = TimelineRecorder()
        for step in 0..<500 as Range<UInt64> {
            recorder.advance(progress(step), at: step * 10 * Self.millisecond)
        }
        #expect(recorder.timeline.samples.count == 500)
    }

    @Test func everyStepHasASampleOfItsOwn() {
        var recorder = TimelineRecorder()
        recorder.enter(MigrationProgress(phase: .connecting), at: 0)
        recorder.enter(progress(7), at: 3)
        #expect(recorder.timeline.steps.map(\.phase) == [.connecting, .memory])
        #expect(recorder.timeline.samples.map(\.at) == [0, 3])
        #expect(recorder.timeline.samples.last?.bytesSent == 7)
    }

    @Test func roundsArePutTogetherButForTheFirstAndTheLatest() throws {
        var recorder = TimelineRecorder()
        let total: UInt64 = 10_000
        for number in 0..<total {
            recorder.add(
                MigrationTimeline.Round(
                    number: number, at: number * 10, nanoseconds: 10, pages: 2, bytes: 3))
            recorder.lastRoundDirtied(5)
        }

        let rounds = recorder.timeline.rounds
        #expect(rounds.count <= TimelineRecorder.roundLimit)
        #expect(rounds.reduce(0) { $0 + $1.count } == total)
        #expect(rounds.reduce(0) { $0 + $1.pages } == 2 * total)
        #expect(rounds.reduce(0) { $0 + $1.bytes } == 3 * total)
        #expect(rounds.reduce(0) { $0 + ($1.dirtiedBytes ?? 0) } == 5 * total)
        #expect(rounds.reduce(0) { $0 + $1.nanoseconds } == 10 * total)
        #expect(rounds.first?.count == 1)
        let latest = rounds.suffix(TimelineRecorder.latestRounds)
        #expect(latest.allSatisfy { $0.count == 1 })
        for (round, next) in zip(rounds, rounds.dropFirst()) {
            #expect(round.number + round.count == next.number)
            #expect(round.at + round.nanoseconds == next.at)
        }
    }

    @Test func notesAndStepsAreLimitedAndTheRestIsCounted() {
        var recorder = TimelineRecorder()
        for number in 0..<1000 as Range<UInt64> {
            recorder.note("note \(number)", at: number)
            recorder.enter(progress(0), at: number)
        }
        #expect(recorder.timeline.notes.count == TimelineRecorder.noteLimit)
        #expect(recorder.timeline.notes.first?.text == "note 0")
        #expect(recorder.timeline.missingNotes == 1000 - UInt64(TimelineRecorder.noteLimit))
        #expect(recorder.timeline.steps.count == TimelineRecorder.noteLimit)
    }

    @Test func partsOfABlackoutFollowEachOther() {
        var recorder = TimelineRecorder()
        recorder.endPart("of nothing", at: 5)
        #expect(recorder.timeline.blackout == nil)

        recorder.set(MigrationTimeline.Blackout(at: 100))
        recorder.endPart("first", at: 130)
        recorder.endPart("second", at: 180)
        recorder.endPart("of no time", at: 90)

        let blackout = recorder.timeline.blackout
        #expect(blackout?.parts.map(\.nanoseconds) == [30, 50, 0])
        #expect(blackout?.nanoseconds == 80)
    }
}
