import Intrinsics

/// Everything that the vCPUs share. Made by the boot processor before it wakes the others.
final class Guest {
    let clock: Clock
    let options: Options
    let reporter: Reporter
    let memory: PhysicalMemory
    /// By index; as many as the command line asks for.
    var processors: [Processor] = []
    /// The memory workload's parts, by processor; nil where it takes no part.
    var memoryWorkloads: [MemoryWorkload?] = []
    var fill: FillWorkload?
    var disks: [DiskWorkload] = []
    var network: Host?
    let verification = Verification()

    init(clock: Clock, options: Options, reporter: Reporter, memory: PhysicalMemory) {
        self.clock = clock
        self.options = options
        self.reporter = reporter
        self.memory = memory
    }
}

/// A full verification that was asked for: every vCPU verifies its own part, and all of them share
/// what was filled.
final class Verification {
    /// How many were asked for.
    let requests = Counter()
    /// vCPUs that are done with the present one.
    let finished = Counter()
    /// Pages verified in the present one.
    let pages = Counter()
    /// Where the next chunk of filled pages is.
    let fillCursor = Counter()

    /// Asks for one; ignored while one is under way.
    func request(processors: Int) {
        guard finished.value == UInt64(processors) || requests.value == 0 else { return }
        finished.set(0)
        pages.set(0)
        fillCursor.set(0)
        requests.add(1)
    }
}
