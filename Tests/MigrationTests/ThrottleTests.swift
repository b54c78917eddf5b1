import LinuxSystem
import Testing
import Transport

@testable import Migration

@Suite struct ThrottleTests {
    // MARK: - The plan

    @Test func nothingIsTakenBeforeAStall() {
        var plan = ThrottlePlan()
        for _ in 0..<10 {
            let isChanged = plan.roundEnded(bytes: 100, isStalled: false, ceiling: 80)
            #expect(!isChanged && plan.percent == 0)
        }
    }

    @Test func moreIsTakenUntilItHelpsAndNoMoreThanTheCeiling() {
        var plan = ThrottlePlan()
        var seen: [Int] = []
        for _ in 0..<6 {
            _ = plan.roundEnded(bytes: 1000, isStalled: true, ceiling: 45)
            seen.append(plan.percent)
        }
        #expect(seen == [20, 30, 40, 45, 45, 45])
        // It shrinks: that is enough.
        var shrinking = ThrottlePlan()
        for bytes in [1000, 800, 600, 400] as [UInt64] {
            _ = shrinking.roundEnded(bytes: bytes, isStalled: true, ceiling: 80)
        }
        #expect(shrinking.percent == 20)
    }

    @Test func ceilingOfZeroTakesNothingAndALowerOneGivesBack() {
        var plan = ThrottlePlan()
        _ = plan.roundEnded(bytes: 1000, isStalled: true, ceiling: 0)
        #expect(plan.percent == 0)
        for _ in 0..<9 { _ = plan.roundEnded(bytes: 1000, isStalled: true, ceiling: 99) }
        #expect(plan.percent == 99)
        let isChanged = plan.roundEnded(bytes: 1000, isStalled: true, ceiling: 10)
        #expect(isChanged && plan.percent == 10)
    }

    // MARK: - A migration

    /// A source whose guest writes all of its pages anew in every round, until so much of its time is
    /// taken: then nothing. What it writes does not depend on time, and so not on the host.
    private func busySource(_ peer: BaseDestination, until percent: Int) throws -> LoneSource {
        let source = try LoneSource(peer.listener.url, workload: .init(pagesPerSecond: 0))
        peer.whenMemoryArrives { [weak source] in
            guard let source, source.guest.throttlePercent < percent else { return }
            source.dirtyPages()
        }
        return source
    }

    /// Number 16 in docs/comparison.md: nothing slows the guest down there.
    @Test func guestThatWritesTooFastIsSlowedDownAndMoves() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 10)
        let source = try busySource(peer, until: 50)

        let result = try source.move {
            $0.downtimeMilliseconds = 1
            $0.throttleMaximum = 99
        }

        guard case .moved = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(source.mostThrottled >= 50)
        #expect(source.guest.throttlePercent == 0)
    }

    @Test func guestThatMayNotBeSlowedDownIsNot() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 10)
        let source = try busySource(peer, until: 1)
        source.afterIteration(15) { control in
            #expect(control.progress().isStalled)
            #expect(control.progress().throttlePercent == 0)
            _ = control.cancel("seen")
        }

        let result = try source.move {
            $0.downtimeMilliseconds = 1
            $0.throttleMaximum = 0
        }

        #expect(result == .running(.cancelled("seen")))
        #expect(source.mostThrottled == 0)
    }

    @Test func guestThatStaysIsAtItsFullSpeed() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 10)
        let source = try busySource(peer, until: 100)
        source.afterIteration(12) { control in
            #expect(control.progress().throttlePercent == 60)
            _ = control.cancel("maintenance is over")
        }

        let result = try source.move {
            $0.downtimeMilliseconds = 1
            $0.throttleMaximum = 60
        }

        #expect(result == .running(.cancelled("maintenance is over")))
        #expect(source.mostThrottled == 60)
        #expect(source.guest.throttlePercent == 0)
        #expect(source.control.progress().throttlePercent == 0)
    }

    /// Lost in the blackout: the guest goes on at once, and not slowly.
    @Test func guestThatComesBackFromTheBlackoutIsAtItsFullSpeed() throws {
        let peer = try BaseDestination(memoryDelayMilliseconds: 10, hangsUpAt: 3)
        let source = try busySource(peer, until: 40)

        let result = try source.move {
            $0.downtimeMilliseconds = 1
            $0.throttleMaximum = 99
        }

        guard case .running(.transport) = result else {
            Issue.record("the source says \(result)")
            return
        }
        #expect(source.mostThrottled >= 40)
        #expect(source.guest.throttlePercent == 0)
    }
}
