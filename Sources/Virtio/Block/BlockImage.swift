internal import LinuxSystem

/// The image behind a disk, open but not locked.
final class BlockImage: Sendable {
    /// What the guest sees of it.
    let geometry: BlockGeometry

    /// Whether space can be given back to it.
    let canDiscard: Bool

    private let configuration: BlockConfiguration
    private let file: OwnedDescriptor

    /// Opens the image that the configuration names.
    ///
    /// - Parameter expected: what the guest has seen of it before, on another host perhaps.
    init(
        _ configuration: BlockConfiguration, expected: BlockGeometry?
    ) throws(DeviceError) {
        self.configuration = configuration
        file = try Self.open(configuration)
        let (byteCount, blockSize): (Int, Int)
        do throws(SystemError) {
            byteCount = try file.storageSize
            blockSize = configuration.isDirect ? try Self.directBlockSize(of: file) : sectorSize
            canDiscard =
                configuration.isSparse && !configuration.isReadOnly && file.canDiscard
        } catch {
            throw error.errno == .notSupported
                ? .notAnImage(device: configuration.identifier, path: configuration.path)
                : .system(device: configuration.identifier, error)
        }
        // Cut to whole blocks, the disk would lack what is at the end of the image, such as the
        // second table of its partitions.
        guard byteCount > 0, byteCount.isMultiple(of: blockSize) else {
            throw .imageNotWhole(
                device: configuration.identifier, path: configuration.path,
                bytes: UInt64(byteCount), blockSize: UInt64(blockSize))
        }
        geometry = BlockGeometry(
            sectorCount: UInt64(byteCount / sectorSize), blockSize: UInt32(blockSize))
        if let expected { try check(against: expected) }
    }

    /// Keeps other processes from writing to the image, and unless it is only read, from using it.
    func lock() throws(DeviceError) {
        do throws(SystemError) {
            try file.lock(configuration.isReadOnly ? .shared : .exclusive)
        } catch {
            throw error.errno == .wouldBlock
                ? .imageLocked(
                    device: configuration.identifier, path: configuration.path, error)
                : .system(device: configuration.identifier, error)
        }
    }

    /// Lets another process have the image, with all that was written.
    func unlock() throws(DeviceError) {
        do throws(SystemError) {
            if !configuration.isReadOnly { try file.synchronizeData() }
            try file.unlock()
        } catch {
            throw .system(device: configuration.identifier, error)
        }
    }

    /// Gives the image so many bytes; a block device has the size that it has.
    func resize(to byteCount: Int) throws(DeviceError) {
        let (device, path) = (configuration.identifier, configuration.path)
        do throws(SystemError) {
            guard try file.isBlockDevice else { return try file.truncate(to: byteCount) }
            let size = try file.storageSize
            guard byteCount <= size else {
                throw SystemError(
                    "give \(byteCount) bytes to", path, .noSpace,
                    advice: "the block device has \(size) bytes; make it larger first")
            }
        } catch {
            throw .system(device: device, error)
        }
    }

    private static func open(
        _ configuration: BlockConfiguration
    ) throws(DeviceError) -> OwnedDescriptor {
        var options: OpenOptions = configuration.isReadOnly ? [] : .write
        if configuration.isDirect { options.insert(.direct) }
        do throws(SystemError) {
            return try OwnedDescriptor(opening: configuration.path, options)
        } catch {
            let (device, path) = (configuration.identifier, configuration.path)
            switch error.errno {
            case .isDirectory:
                throw .notAnImage(device: device, path: path)
            case .permissionDenied, .notPermitted, .readOnlyFileSystem:
                throw configuration.isReadOnly
                    ? .system(device: device, error)
                    : .imageReadOnly(device: device, path: path, error)
            case .invalidArgument where configuration.isDirect:
                throw .directUnavailable(device: device, path: path)
            default:
                throw .system(device: device, error)
            }
        }
    }

    /// The unit of direct access. The kernel tells it by refusing what is too small; what `stat`
    /// gives is only the preferred one.
    private static func directBlockSize(
        of file: borrowing OwnedDescriptor
    ) throws(SystemError) -> Int {
        let probe = try BounceBuffer()
        do throws(SystemError) {
            try probe.read(sectorSize, from: file, at: sectorSize)
            return sectorSize
        } catch {
            guard error.errno == .invalidArgument else { throw error }
            return PageSize.base
        }
    }

    private func check(against expected: BlockGeometry) throws(DeviceError) {
        guard geometry.blockSize <= expected.blockSize else {
            throw .blockSize(
                device: configuration.identifier, path: configuration.path,
                expected: Int(expected.blockSize), actual: Int(geometry.blockSize))
        }
        guard geometry.byteCount >= expected.byteCount,
            geometry.byteCount - expected.byteCount < UInt64(PageSize.base)
        else {
            throw .imageSize(
                device: configuration.identifier, path: configuration.path,
                expected: expected.byteCount, actual: geometry.byteCount)
        }
    }
}

/// Transfers, which block.
extension BlockImage {
    /// Reads `count` bytes at `position` into a request's buffers.
    ///
    /// - Parameter bounce: used where the buffers are not aligned for direct access.
    func read(
        _ count: Int, at position: Int, into buffers: inout BufferList, _ bounce: BounceBuffer?
    ) throws(SystemError) {
        var done = 0
        while done < count {
            let part = (from: done, count: count - done, position: position + done)
            let moved =
                if let bounce, !isAligned(buffers, from: part.from, count: part.count) {
                    try buffers.fill(
                        from: part.from, count: part.count, by: file, position: part.position,
                        through: bounce)
                } else {
                    try buffers.fill(
                        from: part.from, count: part.count, by: file, position: part.position)
                }
            guard moved > 0 else { throw cutShort("read") }
            done += moved
        }
    }

    /// Writes `count` bytes at `position` from a request's buffers, beginning at `offset` in them.
    ///
    /// - Parameter bounce: used where the buffers are not aligned for direct access.
    func write(
        _ count: Int, at position: Int, from buffers: inout BufferList, offset: Int,
        _ bounce: BounceBuffer?
    ) throws(SystemError) {
        var done = 0
        while done < count {
            let part = (from: offset + done, count: count - done, position: position + done)
            let moved =
                if let bounce, !isAligned(buffers, from: part.from, count: part.count) {
                    try buffers.empty(
                        from: part.from, count: part.count, to: file, position: part.position,
                        through: bounce)
                } else {
                    try buffers.empty(
                        from: part.from, count: part.count, to: file, position: part.position)
                }
            guard moved > 0 else { throw cutShort("write to") }
            done += moved
        }
    }

    /// Waits until all that was written is on stable storage.
    func flush() throws(SystemError) {
        if !configuration.isReadOnly { try file.synchronizeData() }
    }

    /// Gives the space of a range back.
    func discard(_ range: Range<Int>) throws(SystemError) {
        try file.discard(offset: range.lowerBound, count: range.count)
    }

    /// Makes a range read as zeros.
    func zero(_ range: Range<Int>, givingBackSpace: Bool) throws(SystemError) {
        do throws(SystemError) {
            try file.zero(
                offset: range.lowerBound, count: range.count, givingBackSpace: givingBackSpace)
        } catch {
            // Past the page cache the zeros would need the alignment of the image.
            guard error.errno == .notSupported, !configuration.isDirect else { throw error }
            try writeZeros(range)
        }
    }

    private func writeZeros(_ range: Range<Int>) throws(SystemError) {
        let zeros = [UInt8](repeating: 0, count: min(range.count, 1 << 20))
        var position = range.lowerBound
        while position < range.upperBound {
            let piece = zeros.prefix(range.upperBound - position)
            let count = try file.write(Array(piece), at: position)
            guard count > 0 else { throw cutShort("write to") }
            position += count
        }
    }

    private func isAligned(_ buffers: borrowing BufferList, from offset: Int, count: Int) -> Bool {
        buffers.isAligned(from: offset, count: count, to: Int(geometry.blockSize))
    }

    /// Somebody has made the image smaller.
    private func cutShort(_ operation: String) -> SystemError {
        SystemError(
            operation, configuration.path, .inputOutput,
            advice: "the image is smaller than the guest's disk; make it as large again")
    }
}
