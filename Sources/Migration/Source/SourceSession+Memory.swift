import GuestMemory
import LinuxSystem
import Logging
import Machine
import MigrationProtocol
import Transport

/// Steps that send memory.
extension SourceSession: MemorySink {
    /// Sends memory while the guest runs, until the rest fits into the blackout.
    ///
    /// - Parameter dirty: gets the pages that are left to send.
    func preCopy(
        _ hardware: some GuestHardware, leaving dirty: inout PageSet
    ) throws(MigrationError) {
        control.board.enter(.memory, at: network.now)
        limitPreCopy()
        var sender = MemorySender(memory: hardware.memory)
        try track { () throws(HardwareError) in try hardware.startDirtyTracking() }
        insertPopulatedPages(of: hardware.memory, into: &dirty)
        while true {
            try checkLimits()
            guard !isGuestDone else { break }
            if try isTimeToPause(dirty.byteCount) {
                if control.maySwitch { break }
                try hold()
            } else {
                throttleIfStalled(hardware, dirty.byteCount)
            }
            try sendRound(&dirty, with: &sender) { (part, pages) throws(HardwareError) in
                try hardware.forgetDirtyPages(part.pages, of: pages, inRegion: part.region)
            }
            try collect(from: hardware, into: &dirty)
            publish(dirtied: dirty.byteCount)
            observer(.memoryIteration(iterations - 1))
        }
        // A base-protocol destination takes the rest on the main connection, as its own kind of
        // source sends it.
        if !hasBoundConnections { endWorkers(.orderly) }
    }

    /// Sends all memory of a guest that stands still: one round, and nothing is left.
    func sendAllMemory(_ hardware: some GuestHardware) throws(MigrationError) {
        control.board.enter(.memory, at: network.now)
        limitPreCopy()
        guestStands = true
        var sender = MemorySender(memory: hardware.memory)
        var pages = PageSet(layouts: hardware.memory.layouts)
        insertPopulatedPages(of: hardware.memory, into: &pages)
        guard !pages.isEmpty else { return }
        try sendRound(&pages, with: &sender)
        // With timeout_strategy=ignore the time may be over; the guest stands still in any case.
        watch.suspend()
        if !pages.isEmpty { try sendRound(&pages, with: &sender) }
        observer(.memoryIteration(iterations - 1))
    }

    /// Sends what is left once the guest stands still.
    func sendFinalMemory(
        _ hardware: some GuestHardware, adding dirty: inout PageSet
    ) throws(MigrationError) {
        try collect(from: hardware, into: &dirty)
        guard !isGuestDone else { return }
        guestStands = true
        publish(remaining: dirty.byteCount)
        guard !dirty.isEmpty else { return }
        var sender = MemorySender(memory: hardware.memory)
        try sendRound(&dirty, with: &sender)
    }

    /// Sends the pages of the set, which has afterwards what was not wanted any more: nothing, unless
    /// the time for pre-copy ended or the guest did.
    private func sendRound(
        _ pages: inout PageSet, with sender: inout MemorySender,
        willSend: @escaping MemoryRound.WillSend = { (_, _) throws(HardwareError) in }
    ) throws(MigrationError) {
        let began = network.now
        let sentBefore = memoryBytes
        let pageCount = pages.byteCount / trackedPageSize
        let waitedBefore = limiter.waitedNanoseconds
        var taken = PageSet(layouts: pages.layouts)
        swap(&taken, &pages)
        let round = MemoryRound(
            taken, senderCount: workers == nil ? 1 : options.connections, willSend: willSend)
        if let workers {
            memoryBytes += try send(round, by: workers)
        } else {
            try send(round, with: &sender)
        }
        contents.roundEnded()
        let isComplete = round.insertLeft(into: &pages)
        // One that took all of the time says nothing about how fast the guest writes.
        hasSentAllOnce = hasSentAllOnce || (isComplete && !watch.isOver)
        let sent = memoryBytes - sentBefore
        let now = network.now
        let nanoseconds = now.nanoseconds(since: began)
        control.board.roundEnded(
            number: iterations, began: began, at: now,
            pages: pageCount - min(pageCount, pages.byteCount / trackedPageSize), bytes: sent)
        let waited = limiter.waitedNanoseconds &- waitedBefore
        let connections = UInt64(max(1, workers == nil ? 1 : options.connections))
        lastRoundNanoseconds = nanoseconds
        // What was held back by the limit for bandwidth is not held back in the blackout.
        convergence.roundEnded(
            bytes: sent, nanoseconds: nanoseconds - min(nanoseconds, waited / connections))
        iterations += 1
        logger.debug(
            "memory iteration sent",
            metadata: ["bytes": "\(sent)", "nanoseconds": "\(nanoseconds)"])
    }

    /// Sends a round over the main connection.
    private func send(
        _ round: MemoryRound, with sender: inout MemorySender
    ) throws(MigrationError) {
        while let part = try round.beginPart() {
            let isDone = try sender.send(part, of: round.pages, zeroPages: zeroPages, to: self)
            guard !isDone else { continue }
            round.leave(part)
            round.stop()
        }
        try sender.finish(self)
    }

    /// Sends a round over the memory connections. When one fails, the destination may have said why
    /// on the main one.
    private func send(
        _ round: MemoryRound, by workers: MemoryWorkers<Outside>
    ) throws(MigrationError) -> UInt64 {
        do throws(MigrationError) {
            return try workers.send(
                round, zeroPages: zeroPages, guestStands: guestStands, within: sharedLimits)
        } catch {
            throw reason(behind: error)
        }
    }

    /// Adds the pages that the guest has written to a set.
    private func collect(
        from hardware: some GuestHardware, into dirty: inout PageSet
    ) throws(MigrationError) {
        let began = network.now
        try track { () throws(HardwareError) in try hardware.collectDirtyPages(into: &dirty) }
        collectTime = network.now.nanoseconds(since: began)
    }

    private var zeroPages: MemorySender.ZeroPages {
        if state.extensions.contains(.zeroRanges) { return .asRanges }
        return iterations == 0 ? .leftOut : .asContents
    }

    private func insertPopulatedPages(of memory: GuestRAM, into pages: inout PageSet) {
        for region in memory.regions {
            for range in region.populatedRanges() { pages.insert(range) }
        }
    }

    // MARK: - Batches

    /// By the rate of the last batch: short enough for a cancel between two of them, long enough
    /// that the turn-around does not count. At most 64 MiB: pages of the next batch are looked for
    /// while the sockets' buffers drain, and where that takes longer than a few milliseconds the
    /// destination waits.
    var batchBytes: UInt64 {
        let most = min(
            contents.batchBytes ?? (64 << 20),
            watch.bytesPerSecond.map(BandwidthLimiter.batchBytes) ?? Limits.contentPerRequest)
        guard batchRate > 0 else { return min(4 << 20, most) }
        let wanted = batchRate / 1000 &* 100
        return min(max(wanted, 256 << 10), most)
    }

    func begin(
        _ table: MemoryRangeTable, _ contents: [MemorySegment]
    ) throws(MigrationError) {
        // While the destination works on the batch before.
        let encoded = try encoder.encode(table, contents, guestStands: guestStands)
        try finish()
        let stored = encoded.blocks?.storedBytes ?? table.contentLength
        pace.awaitTurn(stored)
        let began = network.now
        let awaitsAnswer: Bool
        if let blocks = encoded.blocks {
            awaitsAnswer = try begin(
                .memoryBlocks(rangeCount: table.count, blocks.format), payload: blocks.tables,
                contents: blocks.stored)
        } else {
            awaitsAnswer = try begin(
                .memory(rangeCount: table.count), payload: table.bytes, contents: contents)
        }
        batch =
            awaitsAnswer
            ? Batch(began: began, bytes: table.contentLength, method: encoded.method) : nil
        memoryBytes += table.contentLength
        control.board.sent(table.contentLength, stored: stored)
    }

    func beginZeros(_ table: MemoryRangeTable) throws(MigrationError) {
        try finish()
        let began = network.now
        let awaitsAnswer = try begin(
            .zeroRanges(rangeCount: table.count), payload: table.bytes)
        batch = awaitsAnswer ? Batch(began: began, bytes: 0) : nil
        control.board.sentZeros(table.contentLength)
    }

    func finish() throws(MigrationError) {
        guard let finished = batch.take() else { return }
        try awaitAnswer(within: limits)
        watch.noteAnswer(to: finished.began)
        if finished.bytes > 0 { contents.answered(finished.method, contentBytes: finished.bytes) }
        let nanoseconds = network.now.nanoseconds(since: finished.began)
        guard finished.bytes > 0, nanoseconds > 0 else { return }
        let (scaled, overflow) = finished.bytes.multipliedReportingOverflow(by: 1_000_000_000)
        batchRate = max(1, overflow ? finished.bytes : scaled / nanoseconds)
    }

    /// Shows how fast the guest writes, from what it wrote during the last round.
    private func publish(dirtied bytes: UInt64) {
        guard lastRoundNanoseconds > 0 else { return }
        let (scaled, overflow) = bytes.multipliedReportingOverflow(by: 1_000_000_000)
        let rate = overflow ? .max : scaled / lastRoundNanoseconds
        control.board.roundDirtied(bytes: bytes)
        control.board.update { $0.dirtyBytesPerSecond = rate }
    }

    private func track(
        _ body: () throws(HardwareError) -> Void
    ) throws(MigrationError) {
        do throws(HardwareError) {
            try body()
        } catch {
            throw .hardware(error)
        }
    }
}
