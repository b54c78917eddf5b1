internal import GuestMemory
internal import LinuxSystem
internal import Machine
internal import StateCoding

/// The ways of bytes from a guest and from a peer into devices, without a guest: what a fuzzer
/// drives. The same bytes give the same result; any result but a return is a fault.
package enum DeviceFuzzing {
    /// Reads an input of a fuzzer: the first byte chooses what the rest is.
    package static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let rest = Array(input.dropFirst())
        switch first % 3 {
        case 0: runQueue(rest)
        case 1: runAccesses(rest)
        default: runState(rest)
        }
    }

    /// Serves a virtqueue in memory that the bytes are the contents of.
    ///
    /// The first eight bytes are features, size and position of the queue; the others lie in guest
    /// memory from 0 on, with the descriptor table at 0, the available ring at 0x400 and the used
    /// ring at 0x800.
    package static func runQueue(_ input: [UInt8]) {
        var source = ByteSource(input)
        let features = VirtioFeatures(rawValue: UInt64(source.next()) << 24).union(.version1)
        let layout = VirtqueueLayout(
            size: 1 << (source.next() % 6), descriptorTable: GuestAddress(0),
            availableRing: GuestAddress(0x400), usedRing: GuestAddress(0x800))
        let position = Virtqueue.Position(available: source.next16(), used: source.next16())
        let steps = Int(source.next16() % 256)
        guard let memory = makeMemory(),
            (try? memory.write(source.rest(limit: 0x1_0000), at: GuestAddress(0))) != nil,
            var queue = try? Virtqueue(
                layout: layout, maximumSize: 1024, features: features, position: position,
                memory: memory)
        else { return }
        var chain = DescriptorChain(memory: memory)
        do throws(VirtqueueError) {
            for _ in 0..<steps {
                guard try queue.next(into: &chain) else {
                    _ = try queue.enableNotifications()
                    break
                }
                let written = try serve(&chain)
                try queue.complete(head: chain.head, written: written)
                _ = try queue.needsInterrupt()
            }
        } catch {
            // A refusal is a good answer.
        }
    }

    /// Makes accesses to the ports, the configuration window and the memory range of a device. Each
    /// takes eight bytes: what and how wide, where, and the value.
    package static func runAccesses(_ input: [UInt8]) {
        guard let machine = try? FuzzedMachine() else { return }
        defer { machine.end() }
        var source = ByteSource(input)
        while !source.isEmpty {
            machine.access(
                source.next(), offset: UInt64(source.next16()), value: UInt64(source.next32()))
        }
    }

    /// Loads the bytes as the saved state of a bus with one device.
    package static func runState(_ input: [UInt8]) {
        guard let machine = try? FuzzedMachine() else { return }
        defer { machine.end() }
        var reader = StateReader(input)
        try? machine.bus.load(from: &reader)
    }

    private static func serve(_ chain: inout DescriptorChain) throws(VirtqueueError) -> UInt32 {
        let bytes = chain.readable.bytes(from: 1, limit: 4096)
        _ = chain.readable.load(UInt64.self, at: bytes.count)
        if !chain.writable.isEmpty { _ = try BlockRequest(chain) }
        _ = NetControl.Command(chain.readable, VirtioFeatures(rawValue: .max))
        chain.writable.markDirty(from: 3, count: chain.writable.byteCount)
        return UInt32(clamping: chain.writable.write(bytes, at: 1))
    }

    fileprivate static func makeMemory() -> GuestRAM? {
        try? GuestRAM(
            layout: [
                RegionLayout(slot: 0, start: GuestAddress(0), size: 0x2_0000, fileOffset: 0)
            ], backing: .privateAnonymous(hugePages: nil))
    }
}

/// A bus with a disk that has no image, and nothing behind interrupts and doorbells.
private struct FuzzedMachine {
    private static let window: Range<UInt64> = 0xC000_0000..<0xC100_0000
    private static let configuration: UInt64 = 0xE000_0000

    let bus: PCIBus
    private let ports = IOBus()
    private let memory = IOBus()

    init() throws {
        bus = PCIBus(memory: memory, windows: [Self.window])
        try ConfigurationPorts(bus: bus).insert(into: ports)
        try memory.insert(
            ConfigurationWindow(bus: bus),
            at: Self.configuration..<(Self.configuration + PCIBus.windowSize))
        guard let ram = DeviceFuzzing.makeMemory() else { return }
        let device = BlockDevice(
            BlockConfiguration(identifier: "_disk0", path: "/dev/null", queueCount: 2))
        try bus.insert(
            try VirtioPCITransport(
                device: device, memory: ram, router: InterruptRouter(chip: NoInterrupts()),
                doorbells: Doorbells(controller: NoDoorbells())
            ) { _ in })
        // Decoding is on from the start: few inputs would find the way to switch it on.
        memory.write(at: Self.configuration + 1 << 15 + 4, width: 2, value: 6)
    }

    /// Takes everything apart, as the end of a machine does.
    func end() {
        bus.removeAll()
    }

    func access(_ kind: UInt8, offset: UInt64, value: UInt64) {
        let width = 1 << Int(kind >> 4 & 3)
        let isWrite = kind & 0x80 != 0
        let (target, address): (IOBus, UInt64) =
            switch kind & 3 {
            case 0: (ports, 0xCF8 + offset % 8)
            case 1: (memory, Self.configuration + 1 << 15 + offset % 4096)
            case 2: (memory, Self.configuration + value % PCIBus.windowSize)
            default: (memory, Self.window.lowerBound + offset)
            }
        if isWrite {
            target.write(at: address, width: width, value: value)
        } else {
            _ = target.read(at: address, width: width)
        }
    }
}

/// Routes that lead nowhere.
private final class NoInterrupts: InterruptChip {
    func setRoutes(_ routes: [InterruptRoute]) throws(SystemError) {}
    func attach(_ event: borrowing EventDescriptor, to gsi: UInt32) throws(SystemError) {}
    func detach(_ event: borrowing EventDescriptor, from gsi: UInt32) throws(SystemError) {}
}

/// Doorbells that nobody rings.
private final class NoDoorbells: DoorbellController {
    func attach(_ event: borrowing EventDescriptor, to doorbell: Doorbell) throws(SystemError) {}
    func detach(_ event: borrowing EventDescriptor, from doorbell: Doorbell) throws(SystemError) {}
}

/// The bytes of an input one after another; zeros after its end.
private struct ByteSource {
    private var bytes: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    var isEmpty: Bool { bytes.isEmpty }

    mutating func next() -> UInt8 { bytes.popFirst() ?? 0 }

    mutating func next16() -> UInt16 { UInt16(next()) | UInt16(next()) << 8 }

    mutating func next32() -> UInt32 { UInt32(next16()) | UInt32(next16()) << 16 }

    func rest(limit: Int) -> [UInt8] { Array(bytes.prefix(limit)) }
}
