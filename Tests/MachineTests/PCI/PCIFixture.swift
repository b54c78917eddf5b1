import LinuxSystem
import Machine
import StateCoding
import Synchronization

/// An interrupt chip that remembers the messages it would send.
final class SignalledChip: InterruptChip {
    private final class Attached: Sendable {
        let event: EventDescriptor
        init(_ event: consuming EventDescriptor) { self.event = event }
    }

    private let events = Mutex<[UInt32: Attached]>([:])
    private let routes = Mutex<[InterruptRoute]>([])

    func setRoutes(_ routes: [InterruptRoute]) throws(SystemError) {
        self.routes.withLock { $0 = routes }
    }

    func attach(_ event: borrowing EventDescriptor, to gsi: UInt32) throws(SystemError) {
        let attached = try Attached(EventDescriptor(adopting: event.descriptor.duplicate()))
        events.withLock { $0[gsi] = attached }
    }

    func detach(_ event: borrowing EventDescriptor, from gsi: UInt32) throws(SystemError) {
        events.withLock { $0[gsi] = nil }
    }

    /// The data of the messages that have a route, by GSI.
    var messages: [UInt32: UInt32] {
        var found: [UInt32: UInt32] = [:]
        for case .message(let gsi, _, let data) in routes.withLock({ $0 }) { found[gsi] = data }
        return found
    }

    /// How often the interrupt was raised since the last call.
    func takeSignals(_ gsi: UInt32) -> UInt64 {
        events.withLock { $0[gsi] }?.event.drain() ?? 0
    }
}

/// A device with one register in a 64-bit range, a 32-bit range and two vectors.
final class ExampleDevice: PCIDevice, BusDevice {
    let identifier: String
    let function: PCIFunction
    let register = Atomic<UInt64>(0)
    private let moves = Mutex<[UInt64?]>([])

    static let wide = BaseAddressRegister(index: 0, width: .bits64, size: 0x8000)
    static let narrow = BaseAddressRegister(index: 2, width: .bits32, size: 0x1000)

    init(identifier: String = "_example0", router: InterruptRouter) throws(InterruptError) {
        self.identifier = identifier
        let space = ConfigurationSpace(
            identity: PCIIdentity(
                vendor: 0x1234, device: 0x5678, classCode: 0x01_80_00, revision: 1,
                subsystemVendor: 0x9ABC, subsystem: 0xDEF0),
            baseAddresses: [Self.wide, Self.narrow])
        let table = try MSIXTable(count: 2, router: router) { _ in }
        function = PCIFunction(
            space: space,
            msix: (table, MSIXPlace(register: 0, tableOffset: 0x4000, pendingOffset: 0x5000)))
    }

    /// Where the 64-bit range answered, in order; nil for nowhere.
    var movesOfWideRange: [UInt64?] { moves.withLock { $0 } }

    func readConfiguration(offset: Int, width: Int) -> UInt32 {
        function.readConfiguration(offset: offset, width: width)
    }

    func writeConfiguration(offset: Int, width: Int, value: UInt32) {
        function.writeConfiguration(offset: offset, width: width, value: value)
    }

    func save(into writer: inout StateWriter) { function.save(into: &writer) }

    func load(from reader: inout StateReader) throws(StateError) {
        try function.load(from: &reader)
    }

    func device(behind register: BaseAddressRegister) -> (any BusDevice)? { self }

    func rangeMoved(_ register: BaseAddressRegister, to address: UInt64?) {
        if register == Self.wide { moves.withLock { $0.append(address) } }
    }

    func read(offset: UInt64, width: Int) -> UInt64 {
        switch offset {
        case 0x4000..<0x5000: function.msix?.read(offset: offset - 0x4000, width: width) ?? 0
        case 0x5000..<0x6000:
            function.msix?.readPending(offset: offset - 0x5000, width: width) ?? 0
        default: register.load(ordering: .relaxed)
        }
    }

    func write(offset: UInt64, width: Int, value: UInt64) {
        if (0x4000..<0x5000).contains(offset) {
            function.msix?.write(offset: offset - 0x4000, width: width, value: value)
        } else {
            register.store(value, ordering: .relaxed)
        }
    }
}

/// A bus with one example device in slot 1, as a guest reaches it.
struct PCIFixture {
    static let lowWindow: Range<UInt64> = 0xC000_0000..<0xE000_0000
    static let highWindow: Range<UInt64> = 0x100_0000_0000..<0x110_0000_0000
    static let ecam: UInt64 = 0xE000_0000

    let chip = SignalledChip()
    let memory = IOBus()
    let ports = IOBus()
    let bus: PCIBus
    let configurationPorts: ConfigurationPorts
    let device: ExampleDevice

    init() throws {
        bus = PCIBus(memory: memory, windows: [Self.lowWindow, Self.highWindow])
        configurationPorts = ConfigurationPorts(bus: bus)
        try configurationPorts.insert(into: ports)
        try memory.insert(
            ConfigurationWindow(bus: bus), at: Self.ecam..<(Self.ecam + PCIBus.windowSize))
        device = try ExampleDevice(router: InterruptRouter(chip: chip))
        try bus.insert(device)
    }

    func read(_ slot: UInt64, _ offset: UInt64, width: Int = 4) -> UInt64 {
        memory.read(at: Self.ecam + slot << 15 + offset, width: width)
    }

    func write(_ slot: UInt64, _ offset: UInt64, _ value: UInt64, width: Int = 4) {
        memory.write(at: Self.ecam + slot << 15 + offset, width: width, value: value)
    }

    /// The address in the example device's 64-bit base address register.
    var wideAddress: UInt64 { read(1, 0x10) & ~0xF | read(1, 0x14) << 32 }

    func enableMemory() { write(1, 0x04, 0x6, width: 2) }

    /// Writes message and mask of a vector, and enables MSI-X.
    func enableVector(_ vector: UInt64, data: UInt64, isMasked: Bool) {
        enableMemory()
        let entry = wideAddress + 0x4000 + 16 * vector
        memory.write(at: entry, width: 4, value: 0xFEE0_0000)
        memory.write(at: entry + 4, width: 4, value: 0)
        memory.write(at: entry + 8, width: 4, value: data)
        memory.write(at: entry + 12, width: 4, value: isMasked ? 1 : 0)
        setControl(0x8000)
    }

    /// Writes the message control register of the MSI-X capability.
    func setControl(_ value: UInt64) {
        write(1, read(1, 0x34, width: 1) + 2, value, width: 2)
    }
}
