import Intrinsics

/// What the boot processor does beside its share of the work: devices, reports, commands, and the
/// end.
struct Conductor {
    private let guest: Guest
    private var worker: Worker
    private let processor: Processor
    private var nextReport: UInt64
    private var nextListening: UInt64 = 0
    private let listeningInterval: UInt64
    private let end: UInt64

    init(_ guest: Guest) {
        self.guest = guest
        processor = guest.processors[0]
        worker = Worker(processor, guest)
        let clock = guest.clock
        nextReport = clock.start + clock.cycles(milliseconds: guest.options.reportMilliseconds)
        listeningInterval = clock.cycles(milliseconds: 10)
        end =
            guest.options.runSeconds.map { clock.start + clock.cycles(milliseconds: $0 * 1000) }
            ?? UInt64.max
    }

    mutating func run() -> Never {
        while true {
            let seen = processor.interrupts
            var isBusy = worker.step()
            let now = processor.observe()
            if deviceStep(now) { isBusy = true }
            if now >= nextReport { report(now) }
            if now >= nextListening { listen(now) }
            if now >= end { finish() }
            if !guest.reporter.serial.isEmpty {
                guest.reporter.serial.service(limit: 1)
                isBusy = true
            }
            if !isBusy { processor.sleep(seen: seen) }
        }
    }

    private func deviceStep(_ now: UInt64) -> Bool {
        var isBusy = false
        if let network = guest.network, network.step(now) { isBusy = true }
        for disk in guest.disks where disk.step(now) { isBusy = true }
        return isBusy
    }

    /// Bytes that came on the serial port are commands.
    private mutating func listen(_ now: UInt64) {
        nextListening = now + listeningInterval
        guard let byte = guest.reporter.serial.receive() else { return }
        switch byte {
        case UInt8(ascii: "r"):
            for index in 0..<guest.processors.count { guest.processors[index].gap.reset() }
        case UInt8(ascii: "v"): guest.verification.request(processors: guest.processors.count)
        case UInt8(ascii: "q"): finish()
        default: break
        }
    }

    private func finish() -> Never {
        var line = Line("done")
        line.add("uptime_ms", guest.clock.uptime)
        line.add("errors", guest.reporter.errors)
        guest.reporter.write(line)
        guest.reporter.serial.flush()
        switch guest.options.ending {
        case .powerOff: Power.off()
        case .reset: Power.reset()
        case .fault: undefined_instruction()
        }
    }

    private mutating func report(_ now: UInt64) {
        let clock = guest.clock
        nextReport = now + clock.cycles(milliseconds: guest.options.reportMilliseconds)
        guard guest.reporter.serial.isEmpty else { return }
        var longest: UInt64 = 0
        var recent: UInt64 = 0
        for index in 0..<guest.processors.count {
            let gap = guest.processors[index].gap
            longest = max(longest, gap.longestCycles)
            recent = max(recent, gap.takeRecent())
        }
        var line = Line("report")
        line.add("uptime_ms", clock.uptime)
        line.add("gap_us", clock.microseconds(longest))
        line.add("gap_recent_us", clock.microseconds(recent))
        addMemory(to: &line)
        addDisks(to: &line)
        addNetwork(to: &line)
        line.add("errors", guest.reporter.errors)
        guest.reporter.write(line)
    }

    private func addMemory(to line: inout Line) {
        guard guest.options.memory != nil else { return }
        var writes: UInt64 = 0
        var verified: UInt64 = 0
        var passes = UInt64.max
        for part in guest.memoryWorkloads {
            guard let part else { continue }
            writes += part.writes.value
            verified += part.verified.value
            passes = min(passes, part.passes.value)
        }
        line.add("mem_writes", writes)
        line.add("mem_verified", verified)
        line.add("mem_passes", passes)
        line.add("mem_errors", guest.reporter.memoryErrors.value)
    }

    private func addDisks(to line: inout Line) {
        guard !guest.disks.isEmpty else { return }
        var writes: UInt64 = 0
        var reads: UInt64 = 0
        for disk in guest.disks {
            writes += disk.writes.value
            reads += disk.reads.value
        }
        line.add("disk_writes", writes)
        line.add("disk_reads", reads)
        line.add("disk_errors", guest.reporter.diskErrors.value)
    }

    private func addNetwork(to line: inout Line) {
        guard let network = guest.network else { return }
        line.add("net_rx", network.received.value)
        line.add("net_tx", network.sent.value)
        line.add("tcp_connections", network.tcp.openConnections)
        line.add("tcp_lost", network.tcp.lost.value)
        line.add("tcp_bytes", network.tcp.bytes.value)
    }
}
