import GuestMemory
import LinuxSystem
import Testing

@testable import Machine

@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct ThrottleTests {
    /// What the guest counts in so many milliseconds.
    private func progress(of guest: TestGuest, milliseconds: Int) throws -> UInt32 {
        let address = GuestAddress(UInt64(GuestProgram.counter))
        let before = try guest.memory.load(UInt32.self, at: address)
        let pause = try EventDescriptor(name: "test")
        try? pause.wait(deadline: .after(milliseconds: milliseconds))
        return try guest.memory.load(UInt32.self, at: address) &- before
    }

    private func runningGuest() throws -> TestGuest {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.start()
        try #require(
            try eventually {
                try guest.memory.load(
                    UInt32.self, at: GuestAddress(UInt64(GuestProgram.counter))) > 0
            })
        return guest
    }

    /// Half as fast would be far from what is asked for; a busy host slows down both.
    @Test func throttledGuestDoesLessAndThenAsMuchAgain() throws {
        let guest = try runningGuest()
        let undisturbed = try progress(of: guest, milliseconds: 500)
        try guest.platform.throttle(percent: 95)
        let throttled = try progress(of: guest, milliseconds: 500)
        #expect(throttled > 0)
        #expect(throttled < undisturbed / 2)

        try guest.platform.throttle(percent: 0)
        let after = try progress(of: guest, milliseconds: 500)
        #expect(after > throttled * 2)
        try guest.platform.pause()
    }

    /// Whoever gets a guest back after a failed migration gets all of it.
    @Test func endOfTheRecordEndsThrottling() throws {
        let guest = try runningGuest()
        try guest.platform.startDirtyLog()
        try guest.platform.throttle(percent: 95)
        #expect(guest.platform.throttle.percents == [95])
        let throttled = try progress(of: guest, milliseconds: 300)

        guest.platform.stopDirtyLog()

        #expect(guest.platform.throttle.percents.isEmpty)
        #expect(try progress(of: guest, milliseconds: 300) > throttled * 2)
        try guest.platform.pause()
    }

    @Test func pausedGuestStartsAgainAtFullSpeed() throws {
        let guest = try runningGuest()
        for _ in 0..<20 {
            try guest.platform.throttle(percent: 99)
            _ = try progress(of: guest, milliseconds: 15)
            try guest.platform.pause()
            let still = try progress(of: guest, milliseconds: 15)
            #expect(still == 0)
            #expect(guest.platform.throttle.percents.isEmpty)
            try guest.platform.start()
        }
        try guest.platform.throttle(percent: 99)
        let throttled = try progress(of: guest, milliseconds: 300)
        try guest.platform.pause()
        try guest.platform.start()
        #expect(try progress(of: guest, milliseconds: 300) > throttled * 2)
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
