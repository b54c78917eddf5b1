import Intrinsics

/// Martlet's registers of the power button and of PCI hot-plug, which an operating system reaches
/// through the methods of its ACPI tables. Looked at now and then instead of waiting for the
/// interrupt.
///
/// A device that is asked for is not used by this guest any more from then on: there is no driver
/// for devices that came after the boot.
struct HotPlug {
    /// Bits of what has happened; bit 0 is the power button. Reading them clears them.
    private static let eventPort: UInt16 = 0x610
    /// Bits of slots with a new device; reading them clears them.
    private static let addedPort: UInt16 = 0x614
    /// Bits of slots whose device shall go; reading them clears them.
    private static let leavingPort: UInt16 = 0x618
    /// Takes bits of slots whose device the guest gives up.
    private static let ejectPort: UInt16 = 0x61c

    private let delay: UInt64
    private var leaving: UInt32 = 0
    private var ejectTime = UInt64.max
    /// How often the power button was found pressed.
    private(set) var presses: UInt64 = 0
    /// Devices that were announced.
    private(set) var added: UInt64 = 0
    /// Devices that were given up.
    private(set) var ejected: UInt64 = 0

    init(_ options: HotPlugOptions, _ clock: Clock) {
        delay = clock.cycles(milliseconds: options.delay)
    }

    mutating func step(_ now: UInt64) {
        presses += UInt64(port_read32(Self.eventPort) & 1)
        added += UInt64(port_read32(Self.addedPort).nonzeroBitCount)
        let asked = port_read32(Self.leavingPort) & ~leaving
        if asked != 0 {
            if leaving == 0 { ejectTime = now + delay }
            leaving |= asked
        }
        guard leaving != 0, now >= ejectTime else { return }
        port_write32(Self.ejectPort, leaving)
        ejected += UInt64(leaving.nonzeroBitCount)
        leaving = 0
    }

    /// The functions on bus 0 beside the host bridge, a bit for each slot.
    var functions: UInt64 {
        var found: UInt64 = 0
        for slot: UInt32 in 1..<32 {
            let function = FunctionAddress(bus: 0, device: slot, function: 0)
            guard ConfigurationSpace.ports.read32(function, 0) != UInt32.max else { continue }
            found |= 1 << UInt64(slot)
        }
        return found
    }
}
