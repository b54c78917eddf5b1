internal import LinuxSystem

/// Serves the requests of one queue of a disk, one after another, on the queue's thread.
struct BlockQueue: Sendable {
    let image: BlockImage
    /// What the guest knows; it changes only while no request is in work.
    let geometry: BlockGeometry
    let isReadOnly: Bool
    /// What `identify` answers.
    let serial: [UInt8]
    /// The driver flushes what must be stable; otherwise each write is.
    let driverFlushes: Bool
    /// There for direct access only.
    let bounce: BounceBuffer?
    let reads: TransferCounters
    let writes: TransferCounters
    let fail: @Sendable (SystemError) -> Void

    /// Serves a request and writes its status.
    ///
    /// - Returns: the length of the request's buffers: the status, which is their last byte, says
    ///   whether the others are of use.
    func serve(_ chain: inout DescriptorChain) throws(VirtqueueError) -> UInt32 {
        let request = try BlockRequest(chain)
        let status: BlockRequest.Status
        do throws(SystemError) {
            status = try perform(request, &chain)
        } catch {
            fail(error)
            status = .failure
        }
        chain.writable.store(status.rawValue, at: request.room)
        return UInt32(clamping: request.room + 1)
    }

    private func perform(
        _ request: BlockRequest, _ chain: inout DescriptorChain
    ) throws(SystemError) -> BlockRequest.Status {
        let start = MonotonicInstant.now
        switch request.operation {
        case .read:
            guard let position = request.position(of: request.room, in: geometry) else {
                return .failure
            }
            try image.read(request.room, at: position, into: &chain.writable, bounce)
            reads.add(bytes: request.room, since: start)
        case .write:
            guard !isReadOnly,
                let position = request.position(of: request.dataToWrite, in: geometry)
            else { return .failure }
            try image.write(
                request.dataToWrite, at: position, from: &chain.readable,
                offset: BlockRequest.headerSize, bounce)
            if !driverFlushes { try image.flush() }
            writes.add(bytes: request.dataToWrite, since: start)
        case .flush:
            try image.flush()
        case .identify:
            chain.writable.write(Array(serial.prefix(request.room)))
        case .discard, .writeZeroes:
            return try performOnRange(request, chain)
        case .unknown:
            return .unsupported
        }
        return .success
    }

    /// Discards or zeros a range (virtio 1.2, section 5.2.6.2).
    private func performOnRange(
        _ request: BlockRequest, _ chain: borrowing DescriptorChain
    ) throws(SystemError) -> BlockRequest.Status {
        let isDiscard = request.operation == .discard
        guard !isReadOnly, let segment = BlockSegment(request, chain) else { return .failure }
        guard !segment.hasUnknownFlags, !(isDiscard && segment.unmaps) else { return .unsupported }
        guard let range = segment.range(in: geometry) else { return .failure }
        guard !range.isEmpty else { return .success }
        do throws(SystemError) {
            if isDiscard {
                try image.discard(range)
            } else {
                try image.zero(range, givingBackSpace: segment.unmaps)
                if !driverFlushes { try image.flush() }
            }
        } catch {
            // The image is on another file system than the one on which this was offered.
            guard error.errno == .notSupported else { throw error }
            return .unsupported
        }
        return .success
    }
}
