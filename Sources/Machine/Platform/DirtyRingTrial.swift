import GuestMemory
import KVM
import LinuxSystem

/// Finds out whether a kernel's rings of written pages can be relied on, with a small guest that
/// writes more pages than its ring has entries.
///
/// Linux's `Documentation/virt/kvm/api.rst` says that a processor whose ring is nearly full leaves
/// the guest (KVM_EXIT_DIRTY_RING_FULL). A KVM that emulates instructions one after the other without
/// looking in between, as software KVMs do for privileged code, overwrites entries instead: the
/// guest's writes are lost, which nobody could tell later.
struct DirtyRingTrial: ~Copyable {
    /// Above what the kernel keeps free, 64 entries and those that hardware fills (512), and small.
    private static let entryCount = 1024

    /// More than the ring has room for.
    private static let pageCount = entryCount + entryCount / 4

    /// How often they are written: by chance an emulator may look at the right moment once.
    private static let passCount: UInt64 = 8

    /// The kernel returns once for each time that the ring is full, and at the end. Signals may
    /// add some.
    private static let mostRuns = 1000

    private static let codeStart: UInt64 = 0x1000
    private static let dataStart: UInt64 = 0x10_0000

    private let machine: KVMVirtualMachine
    private let processor: KVMVirtualProcessor
    /// Stays mapped as long as the machine.
    private let memory: GuestRAM
    private var ring: DirtyRing
    private var found: Set<UInt64> = []

    /// Whether all pages that a guest writes show in its ring.
    static func succeeds(on system: borrowing KVMSystem) throws(PlatformError) -> Bool {
        let memory: GuestRAM
        do throws(GuestMemoryError) {
            memory = try makeMemory()
        } catch {
            throw .memory(error)
        }
        do throws(SystemError) {
            var trial = try DirtyRingTrial(system, memory)
            return try trial.findsAllPages()
        } catch {
            throw .system(error)
        }
    }

    private static func makeMemory() throws(GuestMemoryError) -> GuestRAM {
        let size = dataStart + UInt64(pageCount) * trackedPageSize
        let memory = try GuestRAM(
            layout: [
                RegionLayout(slot: 0, start: GuestAddress(0), size: size, fileOffset: 0)
            ], backing: .privateAnonymous(hugePages: nil))
        for (offset, byte) in code.enumerated() {
            try memory.store(byte, at: GuestAddress(codeStart + UInt64(offset)))
        }
        return memory
    }

    private init(
        _ system: borrowing KVMSystem, _ memory: GuestRAM
    ) throws(SystemError) {
        let byteCount = Self.entryCount * DirtyRing.entrySize
        let machine = try system.createVirtualMachine()
        try machine.setIdentityMapAddress(PhysicalLayout.identityMap)
        try machine.setTaskStateAddress(PhysicalLayout.taskState)
        try machine.useDirtyRings(byteCount: byteCount)
        for region in memory.regions {
            try machine.setMemory(
                slot: region.layout.slot, address: region.layout.start.rawValue,
                segment: region.segment, flags: .logDirtyPages)
        }
        let processor = try machine.createProcessor(identifier: 0)
        let ring = try processor.dirtyRing(byteCount: byteCount)
        guard var special = SpecialRegisters(bytes: try processor.state(.specialRegisters)) else {
            throw SystemError("read the special registers of", "processor 0", .notSupported)
        }
        special.enterProtectedMode()
        try processor.setState(.specialRegisters, special.bytes)
        var general = GeneralRegisters()
        general[.rip] = Self.codeStart
        general[.rdx] = Self.passCount
        try processor.setState(.generalRegisters, general.bytes)
        self.memory = memory
        self.machine = machine
        self.processor = processor
        self.ring = ring
    }

    /// 32-bit code: again: mov edi, dataStart; mov ecx, pageCount; write: mov [edi], ecx;
    /// add edi, 4096; loop write; dec edx; jnz again; hlt.
    private static let code: [UInt8] =
        [0xbf] + bytes(UInt32(dataStart)) + [0xb9] + bytes(UInt32(pageCount))
        + [0x89, 0x0f, 0x81, 0xc7] + bytes(4096) + [0xe2, 0xf6, 0x4a, 0x75, 0xe9, 0xf4]

    private static func bytes(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
    }

    private mutating func findsAllPages() throws(SystemError) -> Bool {
        for _ in 0..<Self.mostRuns {
            let exit = try processor.run()
            guard take() < Self.entryCount else { return false }
            switch exit {
            case .halted: return found.count == Self.pageCount
            case .dirtyRingFull: try machine.resetDirtyRings()
            case .interrupted: break
            default: return false
            }
        }
        return false
    }

    /// Takes what is in the ring.
    ///
    /// - Returns: how many entries that were.
    private mutating func take() -> Int {
        var count = 0
        while count < Self.entryCount, let entry = ring.take() {
            count += 1
            if entry.page >= Self.dataStart / trackedPageSize { found.insert(entry.page) }
        }
        return count
    }
}
