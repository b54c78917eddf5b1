import Intrinsics

/// The calling processor's local APIC, in the memory-mapped mode that it wakes up in: reachable
/// from CPL3.
enum LocalAPIC {
    private static let base: UInt64 = 0xfee0_0000
    private static let identifier: UInt64 = 0x20
    private static let spurious: UInt64 = 0xf0
    private static let command: UInt64 = 0x300
    private static let timer: UInt64 = 0x320
    private static let lint0: UInt64 = 0x350
    private static let lint1: UInt64 = 0x360
    private static let initialCount: UInt64 = 0x380
    private static let currentCount: UInt64 = 0x390
    private static let divider: UInt64 = 0x3e0
    private static let masked: UInt32 = 1 << 16
    private static let baseRegister: UInt32 = 0x1b
    private static let deadlineRegister: UInt32 = 0x6e0

    /// The number that interrupt messages are addressed to.
    static var currentIdentifier: UInt32 { mmio_read32(base + identifier) >> 24 }

    /// Lets interrupts in, except those of the old interrupt controller.
    static func enable() {
        let enabled: UInt64 = 1 << 11
        let extended: UInt64 = 1 << 10
        let current = call_read_msr(baseRegister)
        if current & extended != 0 {
            // There is no direct way back from x2APIC.
            call_write_msr(baseRegister, current & ~(enabled | extended))
            call_write_msr(baseRegister, current & ~extended | enabled)
        }
        mmio_write32(base + spurious, 0x100 | UInt32(VECTOR_SPURIOUS))
        mmio_write32(base + lint0, masked)
        mmio_write32(base + lint1, masked)
    }

    /// Starts the tick of this processor.
    static func startTick(_ processor: Processor, _ clock: Clock) {
        let hasDeadline = call_cpuid(1, 0).ecx >> 24 & 1 == 1
        if hasDeadline {
            mmio_write32(base + timer, UInt32(VECTOR_TICK) | 2 << 17)
            full_fence()
            processor.block.pointee.tick_cycles = UInt32(
                min(processor.tick, UInt64(UInt32.max)))
            call_write_msr(deadlineRegister, clock.now + processor.tick)
        } else {
            mmio_write32(base + divider, 3)
            mmio_write32(base + timer, masked)
            mmio_write32(base + initialCount, UInt32.max)
            clock.spin(microseconds: 10_000)
            let elapsed = UInt32.max - mmio_read32(base + currentCount)
            mmio_write32(base + timer, UInt32(VECTOR_TICK) | 1 << 17)
            let perMillisecond = UInt64(elapsed / 10)
            let count = perMillisecond * processor.tick / clock.kilohertz
            mmio_write32(base + initialCount, UInt32(min(count, UInt64(UInt32.max))))
        }
    }

    /// Wakes all other processors at the trampoline.
    static func startOthers(_ clock: Clock) {
        let allOthers: UInt32 = 3 << 18
        mmio_write32(base + command, allOthers | 0x4500)
        clock.spin(microseconds: 200)
        for _ in 0..<2 {
            mmio_write32(base + command, allOthers | 0x4600 | UInt32(TRAMPOLINE_ADDRESS) >> 12)
            clock.spin(microseconds: 200)
        }
    }
}
