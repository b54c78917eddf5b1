/// Something that answers a guest's reads and writes at ports or at memory-mapped addresses.
///
/// Calls come from the vCPU threads, several at a time, and the guest does not run on until they
/// return: a device that takes long hands the work to its own thread.
public protocol BusDevice: AnyObject, Sendable {
    /// Answers a read.
    ///
    /// - Parameters:
    ///   - offset: bytes from the start of the range at which the device was inserted.
    ///   - width: bytes that the guest asks for: 1, 2, 4 or 8. The access may end beyond the
    ///     device's range.
    /// - Returns: the value, little-endian; bytes above `width` are ignored.
    func read(offset: UInt64, width: Int) -> UInt64

    /// Takes a write.
    ///
    /// - Parameters:
    ///   - offset: bytes from the start of the range at which the device was inserted.
    ///   - width: bytes that the guest writes: 1, 2, 4 or 8. The access may end beyond the
    ///     device's range.
    ///   - value: what it writes; bytes above `width` are 0.
    func write(offset: UInt64, width: Int, value: UInt64)
}
