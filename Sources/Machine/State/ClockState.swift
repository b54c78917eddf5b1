import KVM
import LinuxSystem
import StateCoding

/// The component `clock`: the paravirtual clock and the wall clock at the same moment, so that the
/// guest's time goes on by the time that really passed.
struct ClockState: VersionedState, Equatable {
    static let name = "clock"
    static let version: UInt16 = 1

    /// The guest's time in nanoseconds.
    var nanoseconds: UInt64
    /// The host's wall clock at that moment, in nanoseconds since 1970.
    var realtime: UInt64

    init(nanoseconds: UInt64, realtime: UInt64) {
        self.nanoseconds = nanoseconds
        self.realtime = realtime
    }

    init(of kernel: KernelMachine) throws(SystemError) {
        let clock = try kernel.machine.clock()
        nanoseconds = clock.nanoseconds
        realtime = clock.realtime ?? RealtimeClock.nanoseconds
    }

    /// Sets the clock to what it was, and what passed since then.
    func restore(to kernel: KernelMachine) throws(PlatformError) {
        try platform { () throws(SystemError) in
            if kernel.machine.value(of: .adjustClock) & Self.realtimeBit != 0 {
                try kernel.machine.setClock(
                    KVMClock(nanoseconds: nanoseconds, realtime: realtime))
            } else {
                let passed = elapsed(since: realtime)
                try kernel.machine.setClock(KVMClock(nanoseconds: nanoseconds &+ passed))
            }
        }
    }

    func encode(into writer: inout StateWriter) {
        writer.append(nanoseconds)
        writer.append(realtime)
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        nanoseconds = try reader.readUInt64()
        realtime = try reader.readUInt64()
    }

    /// KVM_CLOCK_REALTIME: the kernel adds the time since then itself.
    private static let realtimeBit = 1 << 2
}

/// Nanoseconds by the wall clock since `realtime`; 0 where this host's clock is behind.
func elapsed(since realtime: UInt64) -> UInt64 {
    let now = RealtimeClock.nanoseconds
    return now > realtime ? now - realtime : 0
}
