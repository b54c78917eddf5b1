import Testing

@testable import Migration

@Suite struct ConvergenceTests {
    /// 100 MB/s, so that 10 MB are 100 ms.
    private func measured(downtime: UInt64) -> Convergence {
        var convergence = Convergence(goal: downtime * 1_000_000)
        convergence.roundEnded(bytes: 100_000_000, nanoseconds: 1_000_000_000)
        return convergence
    }

    @Test func firstRoundIsAlwaysSent() {
        var convergence = Convergence(goal: .max)
        #expect(convergence.decide(bytes: 4096) == .sendRound)
    }

    @Test func nothingLeftMeansPause() {
        var convergence = Convergence(goal: 1_000_000)
        #expect(convergence.decide(bytes: 0) == .pause)
    }

    @Test func predictionCountsMoreThanMemory() {
        let convergence = measured(downtime: 300)
        #expect(
            convergence.predictedBlackout(bytes: 10_000_000)
                == 100_000_000 + Convergence.unknownOverhead)
    }

    /// What the destination tells and this end measures replaces the assumption, in the prediction
    /// and in the decision alike.
    @Test func knownOverheadDecides() {
        var convergence = measured(downtime: 100)
        convergence.overhead = 2_000_000
        #expect(convergence.predictedBlackout(bytes: 9_700_000) == 99_000_000)
        #expect(convergence.decide(bytes: 9_700_000) == .pause)

        convergence.overhead = 50_000_000
        #expect(convergence.predictedBlackout(bytes: 9_700_000) == 147_000_000)
        #expect(convergence.decide(bytes: 9_700_000) == .sendRound)
    }

    @Test func roundsThatDoNotShrinkAreAStall() {
        var convergence = measured(downtime: 1)
        for bytes in [100, 99, 98, 97] as [UInt64] {
            #expect(!convergence.isStalled)
            convergence.noteRemaining(bytes << 20)
        }
        #expect(convergence.isStalled)

        convergence.noteRemaining(80 << 20)
        #expect(!convergence.isStalled)
    }

    @Test func roundsThatShrinkAreNoStall() {
        var convergence = measured(downtime: 1)
        for bytes in [1000, 800, 600, 500, 400, 300, 200, 100, 50, 20, 10, 0] as [UInt64] {
            convergence.noteRemaining(bytes << 20)
            #expect(!convergence.isStalled)
        }
    }

    @Test func restAboveTheGoalIsSentWhileTheGuestRuns() {
        var convergence = measured(downtime: 300)
        #expect(convergence.decide(bytes: 29_000_000) == .sendRound)
        #expect(convergence.decide(bytes: 28_500_000) == .pause)
    }

    @Test func roundsThatHalveGoOnBelowTheGoalUntilItIsGoodEnough() {
        var convergence = measured(downtime: 300)
        #expect(convergence.decide(bytes: 25_000_000) == .pause)
        #expect(convergence.decide(bytes: 12_000_000) == .sendRound)
        #expect(convergence.decide(bytes: 5_000_000) == .sendRound)
        #expect(convergence.decide(bytes: 400_000) == .pause)
    }

    @Test func rateOfATinyRoundDoesNotCount() {
        var convergence = measured(downtime: 300)
        convergence.roundEnded(bytes: 4096, nanoseconds: 1_000_000)
        #expect(convergence.bytesPerSecond == 100_000_000)
    }

    @Test func extremeNumbersDoNotTrap() {
        var convergence = Convergence(goal: .max)
        convergence.roundEnded(bytes: .max, nanoseconds: 1)
        convergence.roundEnded(bytes: 1 << 20, nanoseconds: .max)
        #expect(convergence.bytesPerSecond >= 1)
        #expect(convergence.predictedBlackout(bytes: .max) == .max)
    }
}
