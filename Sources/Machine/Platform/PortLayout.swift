/// Where the platform's own devices are, besides those that a PC has had for ever.
enum PortLayout {
    /// Sleep and reset, where Cloud Hypervisor has them.
    static let sleep: Range<UInt64> = 0x600..<0x601

    /// `EventRegisters`.
    static let events: Range<UInt64> = 0x610..<0x620

    /// `PanicPort`, where QEMU has it.
    static let panic: Range<UInt64> = 0x505..<0x506

    /// What is written to the sleep port to start the machine anew.
    static let resetValue: UInt8 = 1

    /// The sleep type that switches the machine off.
    static let offSleepType: UInt8 = 5

    /// The interrupt of the generic event device: the first that no device of a PC has.
    static let eventInterrupt: UInt32 = 16
}
