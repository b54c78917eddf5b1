public import LinuxSystem
internal import Synchronization

/// Access of device emulation to single values and short runs of bytes.
///
/// What is generic is inlinable: without its type at hand it would look for metadata on each call.
extension GuestRAM {
    /// Reads a little-endian integer of any alignment.
    @inlinable
    public func load<Value: FixedWidthInteger & Sendable>(
        _ type: Value.Type, at address: GuestAddress
    ) throws(GuestMemoryError) -> Value {
        let bytes = try segment(address, count: MemoryLayout<Value>.size)
        // SAFETY: the segment is as long as the value; each bit pattern is an integer.
        return Value(littleEndian: unsafe bytes.baseAddress.loadUnaligned(as: Value.self))
    }

    /// Writes an integer as little-endian, at any alignment.
    @inlinable
    public func store<Value: FixedWidthInteger & Sendable>(
        _ value: Value, at address: GuestAddress
    ) throws(GuestMemoryError) {
        let bytes = try segment(address, count: MemoryLayout<Value>.size)
        // SAFETY: the segment is as long as the value.
        unsafe bytes.baseAddress.storeBytes(of: value.littleEndian, as: Value.self)
        markDirty(address, count: MemoryLayout<Value>.size)
    }

    /// Reads a 16-bit ring index; later reads of this thread see what was written before it.
    @inline(__always)
    public func loadAcquiring(at address: GuestAddress) throws(GuestMemoryError) -> UInt16 {
        let bytes = try alignedSegment(address)
        // SAFETY: aligned and inside RAM; an atomic has the layout of its value.
        return unsafe bytes.baseAddress.assumingMemoryBound(to: Atomic<UInt16>.self)
            .pointee.load(ordering: .acquiring)
    }

    /// Writes a 16-bit ring index; what this thread wrote before it is seen before it.
    @inline(__always)
    public func storeReleasing(
        _ value: UInt16, at address: GuestAddress
    ) throws(GuestMemoryError) {
        let bytes = try alignedSegment(address)
        // SAFETY: aligned and inside RAM; an atomic has the layout of its value.
        unsafe bytes.baseAddress.assumingMemoryBound(to: Atomic<UInt16>.self)
            .pointee.store(value, ordering: .releasing)
        markDirty(address, count: 2)
    }

    /// Reads `count` bytes.
    public func read(at address: GuestAddress, count: Int) throws(GuestMemoryError) -> [UInt8] {
        let bytes = try segment(address, count: count)
        // SAFETY: both runs have `count` bytes and do not overlap.
        return unsafe Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            if count > 0, let target = buffer.baseAddress {
                unsafe UnsafeMutableRawPointer(target).copyMemory(
                    from: bytes.baseAddress, byteCount: count)
            }
            initialized = count
        }
    }

    /// Writes bytes.
    public func write(_ contents: RawSpan, at address: GuestAddress) throws(GuestMemoryError) {
        let bytes = try segment(address, count: contents.byteCount)
        guard contents.byteCount > 0 else { return }
        // SAFETY: both runs have the same length and do not overlap.
        unsafe contents.withUnsafeBytes { source in
            if let start = source.baseAddress {
                unsafe bytes.baseAddress.copyMemory(from: start, byteCount: source.count)
            }
        }
        markDirty(address, count: contents.byteCount)
    }

    /// Writes bytes.
    public func write(_ contents: [UInt8], at address: GuestAddress) throws(GuestMemoryError) {
        // SAFETY: integers have no padding, so that all of their bytes are initialized.
        try write(unsafe contents.span.bytes, at: address)
    }

    /// Writes zeros.
    public func fillWithZeros(_ range: GuestRange) throws(GuestMemoryError) {
        let bytes = try segment(range)
        // SAFETY: the segment is as long as the range.
        _ = unsafe bytes.baseAddress.initializeMemory(
            as: UInt8.self, repeating: 0, count: bytes.count)
        markDirty(range)
    }

    @usableFromInline
    func segment(
        _ address: GuestAddress, count: Int
    ) throws(GuestMemoryError) -> MemorySegment {
        guard let length = UInt64(exactly: count),
            let range = GuestRange(start: address, length: length)
        else { throw .outsideMemory(address: address, length: UInt64(clamping: count)) }
        return try segment(range)
    }

    @inline(__always)
    private func alignedSegment(_ address: GuestAddress) throws(GuestMemoryError) -> MemorySegment {
        guard address.rawValue.isMultiple(of: 2) else {
            throw .misaligned(address: address, size: 2)
        }
        return try segment(address, count: 2)
    }

    @usableFromInline
    func markDirty(_ address: GuestAddress, count: Int) {
        guard let range = GuestRange(start: address, length: UInt64(clamping: count)) else {
            return
        }
        markDirty(range)
    }
}
