import KVM
import LinuxSystem

/// Continues the guest's time stamp counters at another place.
///
/// On the same boot of the same host the counters go on exactly, since the host's own does: the
/// offset stays. Elsewhere they are advanced by the time that has passed, as the wall clocks of
/// both hosts have it, all by the same amount.
struct TimestampRestoration {
    /// Whether the host was not booted anew since the state was saved.
    let isSameHost: Bool

    /// Nanoseconds since the counters were saved, 0 where the clocks disagree.
    let elapsed: UInt64

    /// The offset that the first processor got, and had at its source.
    private var first: (new: UInt64, old: UInt64)?

    init(isSameHost: Bool, elapsed: UInt64) {
        self.isSameHost = isSameHost
        self.elapsed = elapsed
    }

    /// Sets frequency and counter of a processor. Processors come in the order of their numbers.
    mutating func apply(
        _ saved: ProcessorState.Timestamp, to processor: Processor
    ) throws(PlatformError) {
        try setFrequency(saved.kilohertz, of: processor)
        do throws(SystemError) {
            if isSameHost, let offset = saved.offset,
                try processor.hardware.setTimestampOffset(offset)
            {
                return
            }
            try advance(saved, of: processor)
        } catch {
            throw .system(error)
        }
    }

    private func setFrequency(
        _ kilohertz: UInt32, of processor: Processor
    ) throws(PlatformError) {
        var current: UInt32 = 0
        do throws(SystemError) {
            current = try processor.hardware.timestampFrequency()
            guard current != kilohertz, kilohertz != 0 else { return }
            try processor.hardware.setTimestampFrequency(kilohertz)
        } catch {
            throw .timestampFrequency(kilohertz: kilohertz, host: current, error)
        }
    }

    private mutating func advance(
        _ saved: ProcessorState.Timestamp, of processor: Processor
    ) throws(SystemError) {
        if let first, let old = saved.offset {
            // The distance of the counters from each other is the guest's; it stays.
            let offset = first.new &+ (old &- first.old)
            if try processor.hardware.setTimestampOffset(offset) { return }
        }
        let target = saved.value &+ Self.cycles(nanoseconds: elapsed, kilohertz: saved.kilohertz)
        _ = try processor.hardware.setModelSpecificRegisters([
            ModelSpecificRegister(index: RegisterLists.timestamp, value: target)
        ])
        if first == nil, let old = saved.offset,
            let new = try processor.hardware.timestampOffset()
        {
            first = (new, old)
        }
    }

    /// Counts in a time; wraps around like the counter itself.
    static func cycles(nanoseconds: UInt64, kilohertz: UInt32) -> UInt64 {
        let product = nanoseconds.multipliedFullWidth(by: UInt64(kilohertz))
        // The quotient of 2^64 * 2^32 by a million may not fit; the remainder rule keeps it legal.
        guard product.high < 1_000_000 else { return .max }
        return UInt64(1_000_000).dividingFullWidth(product).quotient
    }
}
