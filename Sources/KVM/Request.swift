internal import CLinux
import LinuxSystem

/// Requests to the three kinds of KVM descriptors, by the shape of their argument. All but
/// running a processor are repeated when a signal interrupts them.
extension OwnedDescriptor {
    /// A request with a number, or with nothing.
    func request(
        _ number: UInt, _ operation: String, value: UInt = 0
    ) throws(SystemError) -> Int32 {
        try result(operation) { clinux_ioctl_value(rawValue, number, value) }
    }

    /// A request that reads or writes one structure, which is of the kind that `number` says.
    @unsafe
    func request<Structure>(
        _ number: UInt, _ operation: String, _ structure: inout Structure
    ) throws(SystemError) {
        _ = try result(operation) {
            unsafe withUnsafeMutablePointer(to: &structure) { pointer in
                // SAFETY: the structure is the caller's for the length of the call; the number
                // contains its size, which callers pair with its type.
                unsafe clinux_ioctl_pointer(rawValue, number, pointer)
            }
        }
    }

    /// A request that reads or writes bytes, as many as `number` says or the request knows.
    @unsafe
    func request(
        _ number: UInt, _ operation: String, bytes: inout [UInt8]
    ) throws(SystemError) {
        _ = try result(operation) {
            unsafe bytes.withUnsafeMutableBytes { buffer in
                guard let base = buffer.baseAddress else { return -Errno.invalidArgument.rawValue }
                // SAFETY: callers give as many bytes as the kernel reads or writes.
                return unsafe clinux_ioctl_pointer(rawValue, number, base)
            }
        }
    }

    private func result(
        _ operation: String, _ call: () -> Int32
    ) throws(SystemError) -> Int32 {
        var result = call()
        while result == -Errno.interrupted.rawValue { result = call() }
        guard result < 0 else { return result }
        throw SystemError(operation, name, Errno(rawValue: -result))
    }
}
