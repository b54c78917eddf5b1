import KVM
import LinuxSystem
import StateCoding

/// The component `interrupt-chip`: both PICs, the IOAPIC and the interval timer, as the kernel's
/// structures have them.
struct InterruptChipState: VersionedState, Equatable, Sendable {
    static let name = "interrupt-chip"
    static let version: UInt16 = 1

    /// In the order of `KVMVirtualMachine.Chip.allCases`.
    private var contents: [[UInt8]]

    init(of kernel: KernelMachine) throws(SystemError) {
        contents = []
        for chip in KVMVirtualMachine.Chip.allCases {
            contents.append(try kernel.machine.state(of: chip))
        }
    }

    /// Masks all inputs of both PICs, as firmware leaves them. A guest of this machine's kind need
    /// not know of them; unmasked, the first edge of the serial port would reach it as vector 4.
    static func maskLegacyInterrupts(of kernel: KernelMachine) throws(SystemError) {
        for chip in [KVMVirtualMachine.Chip.primaryPIC, .secondaryPIC] {
            var bytes = try kernel.machine.state(of: chip)
            bytes[maskOffset] = 0xff
            try kernel.machine.setState(of: chip, bytes)
        }
    }

    /// The interrupt mask register in the kernel's structure: behind the chip's number, padding,
    /// and two registers of one byte (Linux, `struct kvm_irqchip` and `struct kvm_pic_state`).
    private static let maskOffset = 10

    func restore(to kernel: KernelMachine) throws(PlatformError) {
        for (chip, bytes) in zip(KVMVirtualMachine.Chip.allCases, contents) {
            try platform { () throws(SystemError) in
                try kernel.machine.setState(of: chip, bytes)
            }
        }
    }

    func encode(into writer: inout StateWriter) {
        for bytes in contents { writer.appendBytes(bytes) }
    }

    init(from reader: inout StateReader, version: UInt16) throws(StateError) {
        contents = []
        for chip in KVMVirtualMachine.Chip.allCases {
            let bytes = try reader.readBytes()
            guard bytes.count == chip.byteCount else {
                throw reader.invalid("a chip has \(bytes.count) bytes, not \(chip.byteCount)")
            }
            contents.append(bytes)
        }
    }
}
