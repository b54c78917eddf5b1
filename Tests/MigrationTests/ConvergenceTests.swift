import Testing

@testable import Migration

@Suite struct ConvergenceTests {
    /// 100 MB/s, so that 10 MB are 100 ms.
    private func measured(downtime: UInt64) -> Convergence {
        var convergence = Convergence(downtimeMilliseconds: downtime)
        convergence.roundEnded(bytes: 100_000_000, nanoseconds: 1_000_000_000)
        return convergence
    }

    @Test func firstRoundIsAlwaysSent() {
        var convergence = Convergence(downtimeMilliseconds: .max)
        #expect(convergence.decide(bytes: 4096) == .sendRound)
    }

    @Test func nothingLeftMeansPause() {
        var convergence = Convergence(downtimeMilliseconds: 1)
        #expect(convergence.decide(bytes: 0) == .pause)
    }

    @Test func predictionCountsMoreThanMemory() {
        let convergence = measured(downtime: 300)
        #expect(
            convergence.predictedBlackout(bytes: 10_000_000)
                == 100_000_000 + Convergence.stateNanoseconds)
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
        var convergence = Convergence(downtimeMilliseconds: .max)
        convergence.roundEnded(bytes: .max, nanoseconds: 1)
        convergence.roundEnded(bytes: 1 << 20, nanoseconds: .max)
        #expect(convergence.bytesPerSecond >= 1)
        #expect(convergence.predictedBlackout(bytes: .max) == .max)
    }
}
