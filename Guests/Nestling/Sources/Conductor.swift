import Intrinsics

/// What the boot processor does beside its share of the work: devices, reports, commands, and the
/// end.
struct Conductor {
    let guest: Guest
    var hotPlug: HotPlug?
    private var worker: Worker
    private let processor: Processor
    private var nextReport: UInt64
    private var nextListening: UInt64 = 0
    private let reportInterval: UInt64
    private let listeningInterval: UInt64
    private let end: UInt64

    init(_ guest: Guest) {
        self.guest = guest
        processor = guest.processors[0]
        worker = Worker(processor, guest)
        let clock = guest.clock
        hotPlug = guest.options.hotPlug.map { HotPlug($0, clock) }
        reportInterval = clock.cycles(milliseconds: guest.options.reportMilliseconds)
        nextReport = clock.start + reportInterval
        listeningInterval = clock.cycles(milliseconds: 10)
        end =
            guest.options.runMilliseconds.map { clock.start + clock.cycles(milliseconds: $0) }
            ?? UInt64.max
    }

    mutating func run() -> Never {
        while true {
            let seen = processor.interrupts
            var isBusy = worker.step()
            let now = processor.observe()
            if deviceStep(now) { isBusy = true }
            if now >= nextReport {
                nextReport = now + reportInterval
                report()
            }
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
        hotPlug?.step(now)
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
        case .tripleFault: Power.tripleFault()
        }
    }
}
