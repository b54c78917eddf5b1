internal import CLinux
public import LinuxSystem
import Synchronization

/// A virtual machine in the kernel: what its processors share. It ends, with them, when the last
/// owner of it and of its processors ends. Its calls can be made from any thread.
public struct KVMVirtualMachine: ~Copyable, Sendable {
    let descriptor: OwnedDescriptor
    private let runMappingSize: Int
    /// Pages by slot, so that no bitmap is smaller than what the kernel writes.
    let slotPages = Mutex<[UInt32: Int]>([:])

    init(descriptor: consuming OwnedDescriptor, runMappingSize: Int) {
        self.descriptor = descriptor
        self.runMappingSize = runMappingSize
    }

    /// What the kernel says about a capability of this machine: 0 when it is not offered.
    public func value(of capability: KVMCapability) -> Int {
        descriptor.value(of: capability)
    }

    /// Makes a processor. Interrupt chips must exist before the first one.
    /// - Parameter identifier: Its number and the identifier of its local APIC, unique.
    public func createProcessor(
        identifier: UInt32
    ) throws(SystemError) -> KVMVirtualProcessor {
        let number = try descriptor.request(
            CLINUX_KVM_CREATE_VCPU, "create processor \(identifier) of",
            value: UInt(identifier))
        return try KVMVirtualProcessor(
            descriptor: OwnedDescriptor(adopting: number, name: "processor \(identifier)"),
            mappingSize: runMappingSize,
            extendedStateSize: value(of: .extendedStateSize),
            nestedStateSize: value(of: .nestedState))
    }

    /// Chooses the processor that starts first; before the first is made. 0 otherwise.
    public func setBootProcessor(identifier: UInt32) throws(SystemError) {
        _ = try descriptor.request(
            CLINUX_KVM_SET_BOOT_CPU_ID, "set the boot processor of", value: UInt(identifier))
    }

    /// Gives the kernel 3 pages of guest addresses below 4 GiB that nothing else uses. Intel
    /// processors need them.
    public func setTaskStateAddress(_ address: UInt64) throws(SystemError) {
        _ = try descriptor.request(
            CLINUX_KVM_SET_TSS_ADDR, "set the task state address of", value: UInt(address))
    }

    /// Gives the kernel 1 page of guest addresses below 4 GiB that nothing else uses; before the
    /// first processor is made. Intel processors need it.
    public func setIdentityMapAddress(_ address: UInt64) throws(SystemError) {
        var address = address
        // SAFETY: the request reads 8 bytes.
        try unsafe descriptor.request(
            CLINUX_KVM_SET_IDENTITY_MAP_ADDR, "set the identity map address of", &address)
    }

    /// Switches on a capability for this machine.
    public func enable(
        _ capability: KVMCapability, argument: UInt64 = 0
    ) throws(SystemError) {
        var structure = kvm_enable_cap()
        structure.cap = capability.rawValue
        structure.args.0 = argument
        // SAFETY: the structure of this request.
        try unsafe descriptor.request(
            CLINUX_KVM_ENABLE_CAP, "enable capability \(capability.rawValue) of", &structure)
    }
}
