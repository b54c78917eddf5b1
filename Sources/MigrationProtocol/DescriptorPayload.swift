/// The four bytes that accompany a passed descriptor, sent with it in one message after the request.
///
/// The descriptor must travel with these bytes and not with the request's header.
public enum DescriptorPayload {
    /// The size of the data beside the descriptor.
    public static let byteCount = 4

    /// MemoryFd: the slot of `guest_ram_mappings` that the descriptor backs.
    public static func encode(slot: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(slot)
        return bytes
    }

    /// Reads the slot of a MemoryFd.
    public static func decodeSlot(_ bytes: Span<UInt8>) throws(FrameError) -> UInt32 {
        guard bytes.count == byteCount else {
            throw .wrongSize(frame: "A memory slot", expected: byteCount, actual: bytes.count)
        }
        return bytes.littleEndian(at: 0)
    }
}

/// The page that both ends of a local migration share, to tell whether the guest has run at the
/// destination.
///
/// The source makes a memfd of one page, all zeros, and hands it over with the RunFlag command. The
/// destination stores `hasRun` at offset 0, as a 32-bit little-endian integer, before its first
/// vCPU enters the guest; from then on the source's CPU and device state is stale for ever. The flag
/// is never cleared.
public enum RunFlag {
    /// The size of the memfd.
    public static let pageByteCount = 4096
    /// What stands at offset 0 once the guest may have run.
    public static let hasRun: UInt32 = 1
    /// The layout of the page; travels in the four bytes beside the descriptor.
    static let layoutVersion: UInt32 = 1

    /// The four bytes beside the descriptor.
    public static var encoded: [UInt8] { DescriptorPayload.encode(slot: layoutVersion) }

    /// Checks the four bytes beside the descriptor.
    public static func validate(_ bytes: Span<UInt8>) throws(FrameError) {
        let version = try DescriptorPayload.decodeSlot(bytes)
        guard version == layoutVersion else {
            throw .invalidField(name: "run flag layout", value: UInt64(version))
        }
    }
}
