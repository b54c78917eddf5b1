internal import CLinux

/// What the CPUID instruction answers for one leaf.
public struct CPUIDEntry: Hashable, Sendable {
    /// The leaf: EAX before the instruction.
    public var function: UInt32
    /// The subleaf: ECX before the instruction. Nil when the answer does not depend on it.
    public var index: UInt32?
    /// EAX after the instruction.
    public var eax: UInt32
    /// EBX after the instruction.
    public var ebx: UInt32
    /// ECX after the instruction.
    public var ecx: UInt32
    /// EDX after the instruction.
    public var edx: UInt32

    /// An entry with all its parts.
    public init(
        function: UInt32, index: UInt32? = nil, eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32
    ) {
        self.function = function
        self.index = index
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }

    /// How many entries are read or set at most: KVM_MAX_CPUID_ENTRIES of the kernel.
    public static let maximumCount = 256

    init(_ kernel: kvm_cpuid_entry2) {
        let isIndexed = kernel.flags & UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX) != 0
        self.init(
            function: kernel.function, index: isIndexed ? kernel.index : nil, eax: kernel.eax,
            ebx: kernel.ebx, ecx: kernel.ecx, edx: kernel.edx)
    }

    var kernel: kvm_cpuid_entry2 {
        kvm_cpuid_entry2(
            function: function, index: index ?? 0,
            flags: index == nil ? 0 : UInt32(KVM_CPUID_FLAG_SIGNIFCANT_INDEX), eax: eax, ebx: ebx,
            ecx: ecx, edx: edx, padding: (0, 0, 0))
    }
}
