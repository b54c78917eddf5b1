import Intrinsics

/// What every vCPU does: its part of the memory workloads, in slices, and its share of
/// verifications.
struct Worker {
    let processor: Processor
    private let guest: Guest
    private let memory: MemoryWorkload?
    private var fillShare = FillWorkload.Share()
    private var verifyShare = FillWorkload.Share()
    private var verificationsDone: UInt64 = 0
    private var nextVerifiedPage: UInt64 = 0
    private var patience: Patience
    private var reversals: UInt64 = 0

    init(_ processor: Processor, _ guest: Guest) {
        self.processor = processor
        self.guest = guest
        memory = guest.memoryWorkloads[processor.index]
        patience = Patience(guest.clock, milliseconds: 2000)
        self.processor.gap.start()
    }

    /// One slice. False: nothing to do now.
    mutating func step() -> Bool {
        if processor.gap.reversals != reversals {
            reversals = processor.gap.reversals
            guest.reporter.error("clock", "vcpu", UInt64(processor.index))
        }
        if patience.isLost(progress: processor.ticks) {
            guest.reporter.error("timer", "vcpu", UInt64(processor.index))
        }
        var isBusy = false
        if let fill = guest.fill, fill.step(&fillShare, processor) { isBusy = true }
        if let memory, memory.step() { isBusy = true }
        if verifyStep() { isBusy = true }
        return isBusy
    }

    private mutating func verifyStep() -> Bool {
        let verification = guest.verification
        guard verificationsDone != verification.requests.value else { return false }
        if let memory {
            let count = memory.verify(from: nextVerifiedPage, count: 16)
            nextVerifiedPage += count
            verification.pages.addShared(count)
            if count > 0 { return true }
        }
        if let fill = guest.fill, fill.isFilled,
            fill.verifyStep(
                &verifyShare, from: verification.fillCursor, done: verification.pages, processor)
        {
            return true
        }
        nextVerifiedPage = 0
        verificationsDone += 1
        if verification.finished.addShared(1) + 1 == UInt64(guest.processors.count) {
            var line = Line("verified")
            line.add("pages", verification.pages.value)
            line.add("errors", guest.reporter.memoryErrors.value)
            guest.reporter.write(line)
        }
        return true
    }
}
