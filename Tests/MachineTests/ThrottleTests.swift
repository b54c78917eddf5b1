import GuestMemory
import LinuxSystem
import Testing

@testable import Machine

/// What is measured is how long processors sleep, which does not depend on how busy the host is.
@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct ThrottleTests {
    /// What the guest has counted.
    private func count(_ guest: TestGuest) throws -> UInt32 {
        try guest.memory.load(UInt32.self, at: GuestAddress(UInt64(GuestProgram.counter)))
    }

    /// How long its processor has slept, in nanoseconds.
    private func slept(_ guest: TestGuest) -> UInt64 {
        guest.platform.processorExits[0].sleptNanoseconds
    }

    private func wait(milliseconds: Int) throws {
        let pause = try EventDescriptor(name: "test")
        try? pause.wait(deadline: .after(milliseconds: milliseconds))
    }

    /// Waits until the guest has counted on.
    private func waitForProgress(of guest: TestGuest) throws {
        let before = try count(guest)
        try #require(try eventually { try count(guest) &- before > 1000 })
    }

    /// Waits until the guest counts on for some periods of throttling without a sleep.
    private func waitForFullSpeed(of guest: TestGuest) throws {
        try #require(
            try eventually {
                let before = slept(guest)
                try wait(milliseconds: 50)
                try waitForProgress(of: guest)
                return slept(guest) == before
            })
    }

    private func runningGuest() throws -> TestGuest {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.start()
        try waitForProgress(of: guest)
        return guest
    }

    @Test func throttledGuestSleepsAndGoesOnAndThenSleepsNoMore() throws {
        let guest = try runningGuest()
        #expect(slept(guest) == 0)

        try guest.platform.throttle(percent: 95)
        try #require(eventually { slept(guest) > 300_000_000 })
        try waitForProgress(of: guest)

        try guest.platform.throttle(percent: 0)
        try waitForFullSpeed(of: guest)
        try guest.platform.pause()
    }

    /// A sleep is the asked share of its period, so that the guest runs in the rest.
    @Test func sleepIsTheShareThatWasAskedFor() throws {
        let guest = try runningGuest()
        try guest.platform.throttle(percent: 30)
        try #require(eventually { slept(guest) > 0 })
        let before = guest.platform.processorExits[0]
        try #require(eventually { slept(guest) > 300_000_000 })
        try guest.platform.pause()

        let after = guest.platform.processorExits[0]
        let sleeps = after.interruptions - before.interruptions
        // Each is 3 ms and what the host makes of it; a period may have a second kick.
        #expect(sleeps > 0)
        #expect(after.sleptNanoseconds >= sleeps * 1_000_000)
    }

    /// Whoever gets a guest back after a failed migration gets all of it.
    @Test func endOfTheRecordEndsThrottling() throws {
        let guest = try runningGuest()
        try guest.platform.startDirtyLog()
        try guest.platform.throttle(percent: 95)
        #expect(guest.platform.throttle.percents == [95])
        try #require(eventually { slept(guest) > 0 })

        guest.platform.stopDirtyLog()

        #expect(guest.platform.throttle.percents.isEmpty)
        try waitForFullSpeed(of: guest)
        try guest.platform.pause()
    }

    @Test func pausedGuestStartsAgainAtFullSpeed() throws {
        let guest = try runningGuest()
        for _ in 0..<20 {
            try guest.platform.throttle(percent: 99)
            try wait(milliseconds: 15)
            try guest.platform.pause()
            let before = try count(guest)
            try wait(milliseconds: 15)
            #expect(try count(guest) == before)
            #expect(guest.platform.throttle.percents.isEmpty)
            try guest.platform.start()
        }
        try waitForFullSpeed(of: guest)
        try guest.platform.pause()
    }

    @Test func shareIsBounded() throws {
        let guest = try runningGuest()
        try guest.platform.throttle(percent: 1000)
        #expect(guest.platform.throttle.percents == [99])
        try guest.platform.throttle(percent: -5)
        #expect(guest.platform.throttle.percents.isEmpty)
        try guest.platform.pause()
    }
}
