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
    private var watch: TickWatch

    init(_ processor: Processor, _ guest: Guest) {
        self.processor = processor
        self.guest = guest
        memory = guest.memoryWorkloads[processor.index]
        watch = TickWatch(guest.clock)
        self.processor.gap.start()
    }

    /// One slice. False: nothing to do now.
    mutating func step() -> Bool {
        watch.look(processor, guest.reporter)
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

/// Notices a tick that stopped coming, as a lost timer would look.
///
/// Time is counted in looks, each for at most 10 ms: a vCPU that was itself stopped for seconds
/// has lost no tick.
struct TickWatch {
    private let step: UInt64
    private let limit: UInt64
    private var ticks: UInt64 = 0
    private var last: UInt64
    private var silence: UInt64 = 0

    init(_ clock: Clock) {
        step = clock.cycles(milliseconds: 10)
        limit = clock.cycles(milliseconds: 2000)
        last = clock.now
    }

    mutating func look(_ processor: Processor, _ reporter: Reporter) {
        let now = read_tsc()
        let passed = now > last ? now - last : 0
        last = now
        let current = processor.ticks
        guard current == ticks else {
            ticks = current
            silence = 0
            return
        }
        silence += min(passed, step)
        if silence > limit {
            reporter.error("timer", "vcpu", UInt64(processor.index))
            silence = 0
        }
    }
}
