/// Something that a kernel's KVM may or may not offer; `KVMSystem.value(of:)` tells.
public struct KVMCapability: RawRepresentable, Hashable, Sendable {
    /// The number `KVM_CAP_*` of the kernel's interface.
    public let rawValue: UInt32

    /// Any number, known or not.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Interrupt chips in the kernel.
    public static let interruptChips = KVMCapability(rawValue: 0)
    /// How many processors a machine should have at most.
    public static let recommendedProcessors = KVMCapability(rawValue: 9)
    /// How many memory slots a machine can have.
    public static let memorySlots = KVMCapability(rawValue: 10)
    /// Interrupts by event.
    public static let interruptEvents = KVMCapability(rawValue: 32)
    /// Events for writes of the guest.
    public static let writeEvents = KVMCapability(rawValue: 36)
    /// Setting the clock; its value has the bits of what the clock tells besides the time.
    public static let adjustClock = KVMCapability(rawValue: 39)
    /// The interval timer, with its state.
    public static let intervalTimer = KVMCapability(rawValue: 33)
    /// Setting the frequency of the time stamp counter.
    public static let timestampControl = KVMCapability(rawValue: 60)
    /// Reading the frequency of the time stamp counter.
    public static let timestampFrequency = KVMCapability(rawValue: 61)
    /// How many processors a machine can have.
    public static let maximumProcessors = KVMCapability(rawValue: 66)
    /// Memory that the guest can only read.
    public static let readOnlyMemory = KVMCapability(rawValue: 81)
    /// Local interrupt controllers in the kernel and the other chips here.
    public static let splitInterruptChips = KVMCapability(rawValue: 121)
    /// The processor's identifier can have more than 8 bits.
    public static let wideProcessorIdentifiers = KVMCapability(rawValue: 129)
    /// Leaving a processor at once, by a flag.
    public static let immediateExit = KVMCapability(rawValue: 136)
    /// The state of a guest that is a hypervisor itself; its value is the size in bytes.
    public static let nestedState = KVMCapability(rawValue: 157)
    /// The dirty log is only cleared on request; its value has the bits of the modes.
    public static let manualDirtyLogProtection = KVMCapability(rawValue: 168)
    /// Special registers with the page directory pointers.
    public static let specialRegistersWithPointers = KVMCapability(rawValue: 200)
    /// Extended state of any size; its value is the size in bytes.
    public static let extendedStateSize = KVMCapability(rawValue: 208)
}
