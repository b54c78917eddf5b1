import Testing

@testable import Machine

@Suite struct TimestampRestorationTests {
    @Test(
        arguments: [
            (0, 2_700_000, 0), (1_000_000_000, 2_700_000, 2_700_000_000), (999, 1_000, 0),
            (1_000, 1_000, 1), (5_000_000_000, 0, 0), (.max, .max, .max),
        ] as [(UInt64, UInt32, UInt64)])
    func cyclesFollowFromTimeAndFrequency(
        nanoseconds: UInt64, kilohertz: UInt32, cycles: UInt64
    ) {
        #expect(
            TimestampRestoration.cycles(nanoseconds: nanoseconds, kilohertz: kilohertz) == cycles)
    }
}
