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
        let pauseAnyway = timeoutEnd
        var sender = MemorySender(memory: hardware.memory)
        try track { () throws(HardwareError) in try hardware.startDirtyTracking() }
        insertPopulatedPages(of: hardware.memory, into: &dirty)
        while true {
            try checkLimits()
            guard isMemoryWanted else { break }
            let bytes = dirty.byteCount
            publish(remaining: bytes)
            if options.timeoutStrategy == .ignore, pauseAnyway <= network.now { break }
            if convergence.decide(bytes: bytes) == .pause { break }
            try sendRound(&dirty, with: &sender)
            try track { () throws(HardwareError) in
                try hardware.collectDirtyPages(into: &dirty)
            }
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
        observer(.memoryIteration(iterations - 1))
    }

    /// Sends what is left once the guest stands still.
    func sendFinalMemory(
        _ hardware: some GuestHardware, adding dirty: inout PageSet
    ) throws(MigrationError) {
        try track { () throws(HardwareError) in try hardware.collectDirtyPages(into: &dirty) }
        guard isMemoryWanted else { return }
        guestStands = true
        publish(remaining: dirty.byteCount)
        guard !dirty.isEmpty else { return }
        var sender = MemorySender(memory: hardware.memory)
        try sendRound(&dirty, with: &sender)
    }

    /// Sends all pages of the set, which is empty afterwards.
    private func sendRound(
        _ pages: inout PageSet, with sender: inout MemorySender
    ) throws(MigrationError) {
        let began = network.now
        let sentBefore = memoryBytes
        let pageCount = pages.byteCount / trackedPageSize
        if let workers {
            var taken = PageSet(layouts: pages.layouts)
            swap(&taken, &pages)
            memoryBytes += try send(
                MemoryRound(taken, senderCount: options.connections), by: workers)
        } else {
            try sender.send(pages, zeroPages: zeroPages, to: self)
            pages.removeAll()
        }
        contents.roundEnded()
        let sent = memoryBytes - sentBefore
        let now = network.now
        let nanoseconds = now.nanoseconds(since: began)
        control.board.roundEnded(
            number: iterations, began: began, at: now, pages: pageCount, bytes: sent)
        lastRoundNanoseconds = nanoseconds
        convergence.roundEnded(bytes: sent, nanoseconds: nanoseconds)
        iterations += 1
        logger.debug(
            "memory iteration sent",
            metadata: ["bytes": "\(sent)", "nanoseconds": "\(nanoseconds)"])
    }

    /// Sends a round over the memory connections. When one fails, the destination may have said why
    /// on the main one.
    private func send(
        _ round: MemoryRound, by workers: MemoryWorkers<Outside>
    ) throws(MigrationError) -> UInt64 {
        do throws(MigrationError) {
            return try workers.send(
                round, zeroPages: zeroPages, guestStands: guestStands, within: limits)
        } catch {
            throw reason(behind: error)
        }
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
    /// that the turn-around does not count.
    var batchBytes: UInt64 {
        let most = contents.batchBytes ?? Limits.contentPerRequest
        guard batchRate > 0 else { return min(most, 4 << 20) }
        let wanted = batchRate / 1000 &* 100
        return min(max(wanted, 256 << 10), most)
    }

    func begin(
        _ table: MemoryRangeTable, _ contents: [MemorySegment]
    ) throws(MigrationError) {
        // While the destination works on the batch before.
        let encoded = try encoder.encode(table, contents, guestStands: guestStands)
        try finish()
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
        control.board.update {
            $0.bytesSent += table.contentLength
            $0.bytesRemaining -= min($0.bytesRemaining, table.contentLength)
        }
    }

    func beginZeros(_ table: MemoryRangeTable) throws(MigrationError) {
        try finish()
        let began = network.now
        let awaitsAnswer = try begin(
            .zeroRanges(rangeCount: table.count), payload: table.bytes)
        batch = awaitsAnswer ? Batch(began: began, bytes: 0) : nil
        control.board.update {
            $0.bytesRemaining -= min($0.bytesRemaining, table.contentLength)
        }
    }

    func finish() throws(MigrationError) {
        guard let finished = batch.take() else { return }
        try awaitAnswer(within: limits)
        if finished.bytes > 0 { contents.answered(finished.method, contentBytes: finished.bytes) }
        let nanoseconds = network.now.nanoseconds(since: finished.began)
        guard finished.bytes > 0, nanoseconds > 0 else { return }
        let (scaled, overflow) = finished.bytes.multipliedReportingOverflow(by: 1_000_000_000)
        batchRate = max(1, overflow ? finished.bytes : scaled / nanoseconds)
    }

    /// Shows what this round has to send and what that means for the blackout.
    private func publish(remaining bytes: UInt64) {
        let predicted = convergence.predictedBlackout(bytes: bytes)
        let rate = convergence.bytesPerSecond
        let round = iterations
        control.board.update {
            $0.iteration = round
            $0.bytesRemaining = bytes
            $0.bytesPerSecond = rate
            $0.predictedBlackoutMilliseconds = predicted.map { $0 / 1_000_000 }
        }
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
