internal import CLinux
import LinuxSystem

/// A model-specific register and its value.
public struct ModelSpecificRegister: Hashable, Sendable {
    /// ECX of RDMSR and WRMSR.
    public let index: UInt32
    /// EDX and EAX.
    public var value: UInt64

    /// A register with its value.
    public init(index: UInt32, value: UInt64) {
        self.index = index
        self.value = value
    }

    /// How many registers one request of the kernel takes: fewer than its MAX_IO_MSRS of 256.
    static let maximumRequestCount = 255
}

/// Reading and writing many registers. The kernel stops at the first that it refuses; these go on
/// behind it and tell which were refused, because it depends on the host which those are.
extension OwnedDescriptor {
    /// Reads the registers that can be read, in the order of `indices`.
    func readRegisters(_ indices: [UInt32]) throws(SystemError) -> [ModelSpecificRegister] {
        let empty = indices.map { ModelSpecificRegister(index: $0, value: 0) }
        return try transfer(CLINUX_KVM_GET_MSRS, "read the model-specific registers of", empty)
            .done
    }

    /// Writes the registers that can be written.
    /// - Returns: The positions in `registers` of those that were refused.
    func writeRegisters(_ registers: [ModelSpecificRegister]) throws(SystemError) -> [Int] {
        try transfer(CLINUX_KVM_SET_MSRS, "set the model-specific registers of", registers)
            .refused
    }

    private func transfer(
        _ number: UInt, _ operation: String, _ registers: [ModelSpecificRegister]
    ) throws(SystemError) -> (done: [ModelSpecificRegister], refused: [Int]) {
        var done: [ModelSpecificRegister] = []
        var refused: [Int] = []
        var next = 0
        while next < registers.count {
            let piece = registers[next...].prefix(ModelSpecificRegister.maximumRequestCount)
            var list = ListRequest(
                piece.map { kvm_msr_entry(index: $0.index, reserved: 0, data: $0.value) })
            let result = list.perform(number, on: self)
            guard result >= 0 else {
                throw SystemError(operation, name, Errno(rawValue: -result))
            }
            let count = min(Int(result), piece.count)
            done += list.entries.prefix(count).map {
                ModelSpecificRegister(index: $0.index, value: $0.data)
            }
            next += count
            if count < piece.count {
                refused.append(next)
                next += 1
            }
        }
        return (done, refused)
    }
}
