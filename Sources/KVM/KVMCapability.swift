internal import CLinux

/// Something that a kernel's KVM may or may not offer; `KVMSystem.value(of:)` tells.
public struct KVMCapability: RawRepresentable, Hashable, Sendable {
    /// The number `KVM_CAP_*` of the kernel's interface.
    public let rawValue: UInt32

    /// Any number, known or not.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private init(_ number: Int32) {
        rawValue = UInt32(number)
    }

    /// Interrupt chips in the kernel.
    public static let interruptChips = KVMCapability(KVM_CAP_IRQCHIP)
    /// How many processors a machine should have at most.
    public static let recommendedProcessors = KVMCapability(KVM_CAP_NR_VCPUS)
    /// How many memory slots a machine can have.
    public static let memorySlots = KVMCapability(KVM_CAP_NR_MEMSLOTS)
    /// Interrupts by event.
    public static let interruptEvents = KVMCapability(KVM_CAP_IRQFD)
    /// Events for writes of the guest.
    public static let writeEvents = KVMCapability(KVM_CAP_IOEVENTFD)
    /// Setting the clock; its value has the bits of what the clock tells besides the time.
    public static let adjustClock = KVMCapability(KVM_CAP_ADJUST_CLOCK)
    /// The interval timer, with its state.
    public static let intervalTimer = KVMCapability(KVM_CAP_PIT2)
    /// Setting the frequency of the time stamp counter.
    public static let timestampControl = KVMCapability(KVM_CAP_TSC_CONTROL)
    /// Reading the frequency of the time stamp counter.
    public static let timestampFrequency = KVMCapability(KVM_CAP_GET_TSC_KHZ)
    /// How many processors a machine can have.
    public static let maximumProcessors = KVMCapability(KVM_CAP_MAX_VCPUS)
    /// Memory that the guest can only read.
    public static let readOnlyMemory = KVMCapability(KVM_CAP_READONLY_MEM)
    /// Local interrupt controllers in the kernel and the other chips here.
    public static let splitInterruptChips = KVMCapability(KVM_CAP_SPLIT_IRQCHIP)
    /// The processor's identifier can have more than 8 bits.
    public static let wideProcessorIdentifiers = KVMCapability(KVM_CAP_X2APIC_API)
    /// Leaving a processor at once, by a flag.
    public static let immediateExit = KVMCapability(KVM_CAP_IMMEDIATE_EXIT)
    /// The state of a guest that is a hypervisor itself; its value is the size in bytes.
    public static let nestedState = KVMCapability(KVM_CAP_NESTED_STATE)
    /// The dirty log is only cleared on request; its value has the bits of the modes.
    public static let manualDirtyLogProtection = KVMCapability(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
    /// Rings of written pages, one for each processor, with a defined order of memory accesses; its
    /// value is the largest size of one in bytes.
    public static let dirtyRing = KVMCapability(KVM_CAP_DIRTY_LOG_RING_ACQ_REL)
    /// The same on processors whose accesses are in order anyway.
    public static let dirtyRingInOrder = KVMCapability(KVM_CAP_DIRTY_LOG_RING)
    /// Special registers with the page directory pointers.
    public static let specialRegistersWithPointers = KVMCapability(KVM_CAP_SREGS2)
    /// Mapping memory for the guest before it touches it (Linux 6.11, with second-level paging).
    public static let memoryMappingAhead = KVMCapability(KVM_CAP_PRE_FAULT_MEMORY)
    /// Extended state of any size; its value is the size in bytes.
    public static let extendedStateSize = KVMCapability(KVM_CAP_XSAVE2)
}
