/// Which ports the platform's own devices answer at, besides those that a PC has had for ever.
enum PortLayout {
    /// Sleep and reset, where Cloud Hypervisor has them.
    static let sleep: Range<UInt64> = 0x600..<0x601

    /// What is written to the sleep port to start the machine anew.
    static let resetValue: UInt8 = 1

    /// The sleep type that switches the machine off.
    static let offSleepType: UInt8 = 5
}
