import KVM
import LinuxSystem
import Testing

/// A machine with one processor and 64 KiB of memory at 0, which runs 16-bit code from there.
struct RealModeMachine: ~Copyable {
    static let memorySize = 16 * PageSize.base

    let machine: KVMVirtualMachine
    let processor: KVMVirtualProcessor
    let memory: Mapping

    /// Makes the machine with interrupt chips, as a PC has them.
    init(_ code: [UInt8], flags: KVMVirtualMachine.MemoryFlags = []) throws {
        let system = try KVMSystem()
        let machine = try system.createVirtualMachine()
        try machine.setTaskStateAddress(0xfffb_d000)
        try machine.setIdentityMapAddress(0xfffb_c000)
        try machine.createInterruptChips()
        try machine.createIntervalTimer()
        let memory = try Mapping(anonymous: RealModeMachine.memorySize)
        for (offset, byte) in code.enumerated() {
            unsafe memory.baseAddress.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        let segment = unsafe MemorySegment(
            baseAddress: memory.baseAddress, count: RealModeMachine.memorySize)
        try machine.setMemory(slot: 0, address: 0, segment: segment, flags: flags)
        let processor = try machine.createProcessor(identifier: 0)
        try processor.setCPUID(try system.supportedCPUID())
        try RealModeMachine.start(processor, at: 0)
        self.machine = machine
        self.processor = processor
        self.memory = memory
    }

    /// Lets the processor go on at an address.
    func start(at address: UInt64) throws {
        try RealModeMachine.start(processor, at: address)
    }

    private static func start(
        _ processor: borrowing KVMVirtualProcessor, at address: UInt64
    ) throws {
        let bytes = try processor.state(.specialRegisters)
        var special = try #require(SpecialRegisters(bytes: bytes))
        special.cs.base = 0
        special.cs.selector = 0
        try processor.setState(.specialRegisters, special.bytes)
        var general = GeneralRegisters()
        general[.rip] = address
        try processor.setState(.generalRegisters, general.bytes)
    }

    /// Writes bytes into the guest's memory.
    func write(_ bytes: [UInt8], at address: Int) {
        for (offset, byte) in bytes.enumerated() {
            unsafe memory.baseAddress.storeBytes(
                of: byte, toByteOffset: address + offset, as: UInt8.self)
        }
    }
}
