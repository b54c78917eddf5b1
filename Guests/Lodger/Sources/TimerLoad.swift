import Linux

/// Wakes every millisecond and records how long it was away at most: what an application sees of
/// a blackout. A line for each gap above 20 ms, so that several can be told apart.
enum TimerLoad {
    private static let period: Int64 = 1_000_000
    private static let worthALine: Int64 = 20_000_000

    static func run() {
        started("timer", "period_us", period / 1000)
        var ticks: Int64 = 0
        var longest: Int64 = 0
        var before = lodger_clock(CLOCK_MONOTONIC)
        while !shouldStop() {
            lodger_sleep_until(before + period)
            let now = lodger_clock(CLOCK_MONOTONIC)
            guard now >= before else { fail("the clock went back", "ns", before - now) }
            let gap = now - before
            if gap >= worthALine {
                var line = Line()
                line.add("timer")
                line.add("at_ms", now / 1_000_000)
                line.add("gap_us", gap / 1000)
                line.print()
            }
            longest = max(longest, gap)
            ticks += 1
            before = now
        }
        var line = Line()
        line.add("timer")
        line.add("ticks", ticks)
        line.add("max_gap_us", longest / 1000)
        line.print()
    }
}
