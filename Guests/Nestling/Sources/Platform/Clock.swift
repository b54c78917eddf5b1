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
        guard cpuid(1, 0).ecx >> 31 == 1 else { return nil }
        guard cpuid(0x4000_0000, 0).eax >= 0x4000_0010 else { return nil }
        let kilohertz = cpuid(0x4000_0010, 0).eax
        return kilohertz > 0 ? UInt64(kilohertz) : nil
    }

    /// Leaf 0x15: the crystal's frequency and a ratio.
    private static func fromProcessor() -> UInt64? {
        guard cpuid(0, 0).eax >= 0x15 else { return nil }
        let leaf = cpuid(0x15, 0)
        guard leaf.eax > 0, leaf.ebx > 0, leaf.ecx > 0 else { return nil }
        return UInt64(leaf.ecx) * UInt64(leaf.ebx) / UInt64(leaf.eax) / 1000
    }

    /// KVM's paravirtual clock: it is switched on, read once, and switched off.
    private static func fromKVMClock() -> UInt64? {
        let leaf = cpuid(0x4000_0000, 0)
        let hasSignature =
            leaf.ebx == 0x4b4d_564b && leaf.ecx == 0x564b_4d56 && leaf.edx == 0x0000_004d
        guard cpuid(1, 0).ecx >> 31 == 1, hasSignature, cpuid(0x4000_0001, 0).eax & 8 != 0 else {
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

    /// Counts cycles while the old interval timer's second channel runs for 20 ms.
    private static func fromIntervalTimer() -> UInt64? {
        let count: UInt32 = 1_193_182 / 50
        port_write8(0x61, port_read8(0x61) & 0xfc | 1)
        port_write8(0x43, 0xb0)
        port_write8(0x42, UInt8(count & 0xff))
        port_write8(0x42, UInt8(count >> 8))
        let begin = read_tsc()
        for _ in 0..<1_000_000 where port_read8(0x61) & 0x20 != 0 {
            return (read_tsc() &- begin) / 20
        }
        return nil
    }
}
