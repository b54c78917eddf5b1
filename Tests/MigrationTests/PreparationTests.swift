import Testing
import Transport

@testable import Migration

/// How long a destination may be silent while it prepares a guest's memory.
@Suite struct PreparationTests {
    /// Taking memory takes a second for a GiB where all goes well, and ten where it does not.
    @Test func muchMemoryMayTakeLongerThanOtherAnswers() {
        let usual = OperationLimits()
        #expect(usual.allowing(taking: 256 << 20).idleSeconds < usual.idleSeconds + 10)
        #expect(usual.allowing(taking: 256 << 30).idleSeconds > usual.idleSeconds + 256 * 10)
        #expect(usual.allowing(taking: 0).idleSeconds == usual.idleSeconds)
    }
}
