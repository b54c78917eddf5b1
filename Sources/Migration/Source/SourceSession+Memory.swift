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
            let bytes = dirty.byteCount
            publish(remaining: bytes)
            if options.timeoutStrategy == .ignore, pauseAnyway <= network.now { break }
            if convergence.decide(bytes: bytes) == .pause { break }
            try sendRound(dirty, with: &sender)
            dirty.removeAll()
            try track { () throws(HardwareError) in
                try hardware.collectDirtyPages(into: &dirty)
            }
            publish(dirtied: dirty.byteCount)
            observer(.memoryIteration(iterations - 1))
        }
    }

    /// Sends all memory of a guest that stands still: one round, and nothing is left.
    func sendAllMemory(_ hardware: some GuestHardware) throws(MigrationError) {
        control.board.enter(.memory, at: network.now)
        limitPreCopy()
        var sender = MemorySender(memory: hardware.memory)
        var pages = PageSet(layouts: hardware.memory.layouts)
        insertPopulatedPages(of: hardware.memory, into: &pages)
        guard !pages.isEmpty else { return }
        try sendRound(pages, with: &sender)
        observer(.memoryIteration(iterations - 1))
    }

    /// Sends what is left once the guest stands still.
    func sendFinalMemory(
        _ hardware: some GuestHardware, adding dirty: inout PageSet
    ) throws(MigrationError) {
        try track { () throws(HardwareError) in try hardware.collectDirtyPages(into: &dirty) }
        publish(remaining: dirty.byteCount)
        guard !dirty.isEmpty else { return }
        var sender = MemorySender(memory: hardware.memory)
        try sendRound(dirty, with: &sender)
    }

    private func sendRound(
        _ pages: borrowing PageSet, with sender: inout MemorySender
    ) throws(MigrationError) {
        let began = network.now
        let sentBefore = memoryBytes
        try sender.send(pages, zeroPages: zeroPages, to: self)
        let sent = memoryBytes - sentBefore
        let nanoseconds = network.now.nanoseconds(since: began)
        lastRoundNanoseconds = nanoseconds
        convergence.roundEnded(bytes: sent, nanoseconds: nanoseconds)
        iterations += 1
        logger.debug(
            "memory iteration sent",
            metadata: ["bytes": "\(sent)", "nanoseconds": "\(nanoseconds)"])
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

    var bytesPerSecond: UInt64 { batchRate }

    func begin(
        _ table: MemoryRangeTable, _ contents: [MemorySegment]
    ) throws(MigrationError) {
        let began = network.now
        let awaitsAnswer = try begin(
            .memory(rangeCount: table.count), payload: table.bytes, contents: contents)
        batch = awaitsAnswer ? Batch(began: began, bytes: table.contentLength) : nil
        memoryBytes += table.contentLength
        control.board.update {
            $0.bytesSent += table.contentLength
            $0.bytesRemaining -= min($0.bytesRemaining, table.contentLength)
        }
    }

    func beginZeros(_ table: MemoryRangeTable) throws(MigrationError) {
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
