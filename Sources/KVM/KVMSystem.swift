internal import CLinux
public import LinuxSystem

/// The kernel's virtualization, as a whole (/dev/kvm).
public struct KVMSystem: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// Opens the device and checks that its interface is the one that this module speaks.
    /// - Throws: With advice when the device is missing or may not be opened.
    public init(path: String = "/dev/kvm") throws(SystemError) {
        let descriptor = try Self.open(path)
        let version = try descriptor.request(CLINUX_KVM_GET_API_VERSION, "find the version of")
        guard version == KVM_API_VERSION else {
            throw SystemError(
                "use", path, .notSupported,
                advice: "its interface has version \(version), and \(KVM_API_VERSION) is needed")
        }
        self.descriptor = descriptor
    }

    /// What the kernel says about a capability: 0 when it is not offered, else 1 or a size, a
    /// number or bits. A machine may offer more than the system; ask that for its own.
    public func value(of capability: KVMCapability) -> Int {
        descriptor.value(of: capability)
    }

    /// What CPUID can answer in guests of this host.
    public func supportedCPUID() throws(SystemError) -> [CPUIDEntry] {
        let empty = CPUIDEntry(function: 0, eax: 0, ebx: 0, ecx: 0, edx: 0).kernel
        var list = ListRequest(
            [kvm_cpuid_entry2](repeating: empty, count: CPUIDEntry.maximumCount))
        let result = list.perform(CLINUX_KVM_GET_SUPPORTED_CPUID, on: descriptor)
        guard result >= 0 else {
            throw SystemError(
                "list the supported CPUID of", descriptor.name, Errno(rawValue: -result))
        }
        return list.results.map { CPUIDEntry($0) }
    }

    /// The model-specific registers that belong to the state of a processor.
    public func stateRegisters() throws(SystemError) -> [UInt32] {
        try registerList(CLINUX_KVM_GET_MSR_INDEX_LIST)
    }

    /// The model-specific registers that tell what processors of this host can do.
    public func featureRegisters() throws(SystemError) -> [ModelSpecificRegister] {
        try descriptor.readRegisters(try registerList(CLINUX_KVM_GET_MSR_FEATURE_INDEX_LIST))
    }

    /// Makes a machine without memory and processors.
    public func createVirtualMachine() throws(SystemError) -> KVMVirtualMachine {
        let mappingSize = try descriptor.request(
            CLINUX_KVM_GET_VCPU_MMAP_SIZE, "find the size of a processor of")
        let number = try descriptor.request(CLINUX_KVM_CREATE_VM, "create a virtual machine with")
        return KVMVirtualMachine(
            descriptor: try OwnedDescriptor(adopting: number, name: "the virtual machine"),
            runMappingSize: Int(mappingSize))
    }

    /// The kernel tells how many there are when the list is too short, and then fills it.
    private func registerList(_ number: UInt) throws(SystemError) -> [UInt32] {
        let operation = "list the model-specific registers of"
        var list = ListRequest([UInt32](), headerSize: 4)
        var result = list.perform(number, on: descriptor)
        if result == -Errno.listTooLong.rawValue {
            list = ListRequest([UInt32](repeating: 0, count: Int(list.count)), headerSize: 4)
            result = list.perform(number, on: descriptor)
        }
        guard result >= 0 else {
            throw SystemError(operation, descriptor.name, Errno(rawValue: -result))
        }
        return Array(list.results)
    }

    private static func open(_ path: String) throws(SystemError) -> OwnedDescriptor {
        do throws(SystemError) {
            return try OwnedDescriptor(opening: path, .write)
        } catch {
            throw SystemError(
                error.operation, error.object, error.errno, advice: advice(for: error.errno))
        }
    }

    private static func advice(for errno: Errno) -> String? {
        switch errno {
        case .permissionDenied: "let the user into the group that the device belongs to"
        case .noSuchFile, .noSuchDevice:
            "load the kernel's kvm module, and switch on virtualization in the firmware"
        default: nil
        }
    }
}

extension OwnedDescriptor {
    /// What the kernel says about a capability, of the system or of one machine.
    func value(of capability: KVMCapability) -> Int {
        let result = clinux_ioctl_value(
            rawValue, CLINUX_KVM_CHECK_EXTENSION, UInt(capability.rawValue))
        return max(0, Int(result))
    }
}
