import Intrinsics

/// Time since boot, from the time stamp counter.
struct Clock {
    /// Cycles per millisecond.
    let kilohertz: UInt64
    /// The counter at boot.
    let start: UInt64

    /// Finds the frequency; nil when nothing tells it.
    init?() {
        guard
            let found = Self.fromHypervisor() ?? Self.fromProcessor() ?? Self.fromKVMClock()
                ?? Self.fromIntervalTimer(), found > 0
        else { return nil }
        kilohertz = found
        start = read_tsc()
    }

    @inline(__always)
    var now: UInt64 { read_tsc() }

    func cycles(milliseconds: UInt64) -> UInt64 { milliseconds &* kilohertz }
    func microseconds(_ cycles: UInt64) -> UInt64 { cycles &* 1000 / kilohertz }
    func milliseconds(_ cycles: UInt64) -> UInt64 { cycles / kilohertz }

    /// Milliseconds since boot.
    var uptime: UInt64 { milliseconds(now &- start) }

    /// Lets time pass without sleeping.
    func spin(microseconds: UInt64) {
        let begin = now
        while now &- begin < microseconds &* kilohertz / 1000 { spin_pause() }
    }

    /// Leaf 0x40000010, which several hypervisors offer.
    private static func fromHypervisor() -> UInt64? {
        guard call_cpuid(1, 0).ecx >> 31 == 1 else { return nil }
        guard call_cpuid(0x4000_0000, 0).eax >= 0x4000_0010 else { return nil }
        let kilohertz = call_cpuid(0x4000_0010, 0).eax
        return kilohertz > 0 ? UInt64(kilohertz) : nil
    }

    /// Leaf 0x15: the crystal's frequency and a ratio.
    private static func fromProcessor() -> UInt64? {
        guard call_cpuid(0, 0).eax >= 0x15 else { return nil }
        let leaf = call_cpuid(0x15, 0)
        guard leaf.eax > 0, leaf.ebx > 0, leaf.ecx > 0 else { return nil }
        return UInt64(leaf.ecx) * UInt64(leaf.ebx) / UInt64(leaf.eax) / 1000
    }

    /// KVM's paravirtual clock: it is switched on, read once, and switched off.
    private static func fromKVMClock() -> UInt64? {
        let leaf = call_cpuid(0x4000_0000, 0)
        let hasSignature =
            leaf.ebx == 0x4b4d_564b && leaf.ecx == 0x564b_4d56 && leaf.edx == 0x0000_004d
        guard call_cpuid(1, 0).ecx >> 31 == 1, hasSignature, call_cpuid(0x4000_0001, 0).eax & 8 != 0
        else {
            return nil
        }
        // 32 bytes: version, TSC, time, multiplier at 24, shift at 28. Must not cross a page.
        let register: UInt32 = 0x4b56_4d01
        call_write_msr(register, clock_page_address() | 1)
        let multiplier = UInt64(mmio_read32(clock_page_address() + 24))
        let shift = Int8(bitPattern: mmio_read8(clock_page_address() + 28))
        call_write_msr(register, 0)
        guard multiplier > 0, shift > -32, shift < 32 else { return nil }
        // nanoseconds = (cycles << shift) * multiplier >> 32
        let perMillisecond = (1_000_000 << 32) / multiplier
        return shift < 0 ? perMillisecond << UInt64(-shift) : perMillisecond >> UInt64(shift)
    }

    /// Counts cycles while the old interval timer's first channel, whose interrupt is masked,
    /// counts down for 20 ms. Nil: there is no such timer.
    private static func fromIntervalTimer() -> UInt64? {
        let frequency: UInt64 = 1_193_182
        port_write8(0x43, 0x34)  // channel 0, both bytes, over and over
        port_write8(0x40, 0)
        port_write8(0x40, 0)
        let first = intervalTimer()
        for _ in 0..<10_000 {
            let last = intervalTimer()
            let counted = UInt64(first.count &- last.count)
            if counted > frequency / 50 {
                return (last.cycles - first.cycles) * frequency / counted / 1000
            }
        }
        return nil
    }

    private static func intervalTimer() -> (count: UInt16, cycles: UInt64) {
        port_write8(0x43, 0)  // hold the count for reading
        let cycles = read_tsc()
        let low = port_read8(0x40)
        return (UInt16(low) | UInt16(port_read8(0x40)) << 8, cycles)
    }
}
