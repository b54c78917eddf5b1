private import Synchronization

/// The registers of the generic event device and of PCI hot-plug, all of them doublewords. They are
/// no standard's: the DSDT describes them to the guest.
///
/// | offset | read                                       | written                |
/// |--------|--------------------------------------------|------------------------|
/// | 0      | `Event` bits since the last read           | -                      |
/// | 4      | a bit for each slot with a new device      | -                      |
/// | 8      | a bit for each slot whose device shall go  | -                      |
/// | 12     | 0                                          | ejects slots by bits   |
///
/// What is read is forgotten: the guest acts on it then. The interrupt is a pulse for each change;
/// a guest that misses it reads everything at the next one.
final class EventRegisters: BusDevice {
    /// Bits of the first register.
    struct Event: OptionSet {
        let rawValue: UInt32
        static let powerButton = Event(rawValue: 1 << 0)
        /// The second or the third register has something.
        static let slots = Event(rawValue: 1 << 1)
    }

    private let interrupt: InterruptLine
    private let state = Mutex(PlatformEventsState())
    private let ejectHandler = Mutex<EjectHandler?>(nil)

    /// A structure: a bare function would be wrapped once more each time that it is read through a
    /// generic type, as often as the guest likes.
    private struct EjectHandler {
        var call: @Sendable (Int) -> Void
    }

    init(interrupt: InterruptLine) {
        self.interrupt = interrupt
    }

    /// The bit of a slot in which devices come and go; slot 0 has the host bridge.
    static func bit(ofSlot slot: Int) -> UInt32? {
        (1..<PCIBus.slotCount).contains(slot) ? 1 << UInt32(slot) : nil
    }

    /// Adds to what the guest is told, and interrupts it.
    func raise(_ event: Event, added: UInt32 = 0, leaving: UInt32 = 0) {
        state.withLock { state in
            state.events |= event.rawValue
            state.added |= added
            state.leaving |= leaving
        }
        interrupt.trigger()
    }

    /// Interrupts the guest again if it has not read everything.
    func repeatPending() {
        if state.withLock({ $0.events != 0 }) { interrupt.trigger() }
    }

    func setEjectHandler(_ handler: @escaping @Sendable (Int) -> Void) {
        ejectHandler.withLock { $0 = EjectHandler(call: handler) }
    }

    /// What is saved. Nothing of the guest runs meanwhile.
    var saved: PlatformEventsState {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }

    func read(offset: UInt64, width: Int) -> UInt64 {
        guard width == 4 else { return .max }
        let value: UInt32? = state.withLock { state in
            switch offset {
            case 0: Self.take(&state.events)
            case 4: Self.take(&state.added)
            case 8: Self.take(&state.leaving)
            case 12: 0
            default: nil
            }
        }
        return value.map(UInt64.init) ?? .max
    }

    func write(offset: UInt64, width: Int, value: UInt64) {
        guard offset == 12, width == 4 else { return }
        let slots = (1..<PCIBus.slotCount).filter { value & 1 << UInt64($0) != 0 }
        state.withLock { state in
            // What was still to be said about a device that is gone now.
            state.added &= ~UInt32(truncatingIfNeeded: value)
            state.leaving &= ~UInt32(truncatingIfNeeded: value)
        }
        guard let handler = ejectHandler.withLock({ $0 }) else { return }
        for slot in slots { handler.call(slot) }
    }

    private static func take(_ register: inout UInt32) -> UInt32 {
        defer { register = 0 }
        return register
    }
}
