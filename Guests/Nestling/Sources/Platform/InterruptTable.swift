import Intrinsics

/// The interrupt descriptor table, shared by all vCPUs.
enum InterruptTable {
    /// Points every vector in use at its entry. To be called before anything can fault.
    static func fill() {
        for vector in 0..<32 {
            set(vector, exception_entries_address() + UInt64(vector) * UInt64(ENTRY_SPACING))
        }
        for number in 0..<Int(VECTOR_DEVICE_COUNT) {
            set(
                Int(VECTOR_FIRST_DEVICE) + number,
                device_entries_address() + UInt64(number) * UInt64(ENTRY_SPACING))
        }
        set(Int(VECTOR_BREAKPOINT), breakpoint_entry_address(), callable: true)
        set(Int(VECTOR_TICK), tick_entry_address())
        set(Int(VECTOR_SPURIOUS), spurious_entry_address())
    }

    /// An interrupt gate. `callable`: also for an instruction at CPL3.
    private static func set(_ vector: Int, _ target: UInt64, callable: Bool = false) {
        let present: UInt64 = callable ? 0xee00 : 0x8e00
        let table = pointer(interrupt_table_address(), to: UInt64.self)
        let low = target & 0xffff | UInt64(SELECTOR_KERNEL_CODE) << 16
        let high = (target >> 16 & 0xffff) << 48
        table[vector * 2] = low | present << 32 | high
        table[vector * 2 + 1] = target >> 32
    }
}
