import LinuxSystem
import Synchronization

/// The journal of a simulated process. It outlives the process, and is as slow as a disk, which may
/// be full.
final class SimulatedJournal: DecisionJournal {
    private let world: SimulatedWorld
    private let process: SimulatedProcess
    private let written = Mutex<[JournalDecision]>([])

    init(world: SimulatedWorld, process: SimulatedProcess) {
        self.world = world
        self.process = process
    }

    /// What reached the disk.
    var decisions: [JournalDecision] { written.withLock { $0 } }

    func append(_ record: JournalRecord) throws(JournalError) {
        let fault = world.takeStep(of: process)
        let isRefused = process.isDead || fault == .hardwareFailure
        // A record may be on the disk although the process dies before it knows.
        if !isRefused { written.withLock { $0.append(record.decision) } }
        let end = world.time.now.advanced(byNanoseconds: 1_000_000)
        _ = world.time.wait(until: end) { .never }
        guard isRefused || process.isDead else { return }
        throw .system(path: "simulated", SystemError("write to", "a full disk", .noSpace))
    }
}
