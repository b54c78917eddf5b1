internal import CLinux
public import LinuxSystem

extension KVMVirtualProcessor {
    /// The state of a guest that is a hypervisor itself, as the bytes of `kvm_nested_state`; nil
    /// where the kernel has no such state.
    public func nestedState() throws(SystemError) -> [UInt8]? {
        guard nestedStateSize >= NestedHeader.byteCount else { return nil }
        var bytes = [UInt8](repeating: 0, count: nestedStateSize)
        NestedHeader.setSize(UInt32(nestedStateSize), in: &bytes)
        do throws(SystemError) {
            // SAFETY: the kernel writes at most as many bytes as the header says there are.
            try unsafe descriptor.request(
                CLINUX_KVM_GET_NESTED_STATE, "read the nested state of", bytes: &bytes)
        } catch {
            // Kernels that name the capability but have no nesting say so only here.
            guard error.errno == .invalidArgument else { throw error }
            return nil
        }
        let size = min(bytes.count, max(NestedHeader.byteCount, NestedHeader.size(in: bytes)))
        return Array(bytes.prefix(size))
    }

    /// Sets the state of a guest that is a hypervisor itself.
    /// - Throws: `.invalidArgument` for bytes that are none, or that this host cannot take.
    public func setNestedState(_ bytes: [UInt8]) throws(SystemError) {
        let operation = "set the nested state of"
        // The kernel reads as many bytes as the header says, so that must be what there is.
        guard bytes.count >= NestedHeader.byteCount, NestedHeader.size(in: bytes) == bytes.count
        else { throw SystemError(operation, descriptor.name, .invalidArgument) }
        var bytes = bytes
        // SAFETY: the size in the header was checked.
        try unsafe descriptor.request(CLINUX_KVM_SET_NESTED_STATE, operation, bytes: &bytes)
    }
}

/// The start of `struct kvm_nested_state`: flags, format, and the size of all.
private enum NestedHeader {
    /// Bytes before the part that depends on the format and the hardware.
    static let byteCount = Int(CLINUX_KVM_NESTED_HEADER_SIZE)
    private static let sizeOffset = Int(CLINUX_KVM_NESTED_SIZE_OFFSET)

    static func size(in bytes: [UInt8]) -> Int {
        (0..<4).reduce(0) { $0 | Int(bytes[sizeOffset + $1]) << (8 * $1) }
    }

    static func setSize(_ size: UInt32, in bytes: inout [UInt8]) {
        for index in 0..<4 {
            bytes[sizeOffset + index] = UInt8(truncatingIfNeeded: size >> UInt32(8 * index))
        }
    }
}
