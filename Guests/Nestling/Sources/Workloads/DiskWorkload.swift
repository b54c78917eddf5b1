import Intrinsics

/// `disk=`: random writes with stamps, and reads that verify them, several at a time.
///
/// Every sector says where it belongs and how often it was written. The same is kept in memory, so
/// a write that was lost, torn, or applied once more after a later one is found by the next read.
final class DiskWorkload {
    private static let sectorsPerBlock = UInt64(BlockDevice.blockSize / BlockDevice.sectorSize)
    private static let wordsPerSector = BlockDevice.sectorSize / 8
    private static let writesPerFlush: UInt64 = 32
    private static let isBusy: UInt32 = 1 << 31
    private static let isVerified: UInt32 = 1 << 30
    private static let generationMask: UInt32 = isVerified - 1

    let writes = Counter()
    let reads = Counter()

    private struct Request {
        var operation = BlockDevice.Operation.flush
        var block: UInt64 = 0
        var isUnderWay = false
    }

    private let device: BlockDevice
    private let number: Int
    private let blocks: UInt64
    private let depth: Int
    private let flushes: Bool
    /// How often each block was written; whether that was read back; whether a request has it.
    private let states: UnsafeMutablePointer<UInt32>
    private var requests = [32 of Request](repeating: Request())
    private var underWay = 0
    private var random: Random
    private var sinceFlush: UInt64 = 0
    private var pace: Pace
    private var patience: Patience
    private let reporter: Reporter

    /// Nil: no memory, or the disk is smaller than a block.
    init?(
        _ options: DiskOptions, _ device: BlockDevice, clock: Clock, memory: PhysicalMemory,
        reporter: Reporter
    ) {
        let wanted = options.size / UInt64(BlockDevice.blockSize)
        blocks = min(wanted, device.capacity / Self.sectorsPerBlock)
        guard blocks > 0, let table = memory.allocateZeroed(blocks * 4) else { return nil }
        states = pointer(table, to: UInt32.self)
        self.device = device
        self.reporter = reporter
        number = options.number
        depth = min(options.depth, device.depth)
        flushes = options.flushes && device.canFlush
        random = Random(seed: UInt64(options.number) + 77)
        pace = Pace(rate: options.rate, clock: clock, catchUp: 20)
        patience = Patience(clock, milliseconds: 10_000)
    }

    /// Takes what is complete and starts what is due. False: nothing to do now.
    func step(_ now: UInt64) -> Bool {
        var isBusy = false
        while let (slot, status) = device.take() {
            finish(slot, status)
            isBusy = true
        }
        if underWay > 0 && patience.isLost(progress: writes.value &+ reads.value) {
            reporter.error("disk_stuck", "disk", UInt64(number))
        }
        let started = startRequests(now)
        if started { device.kick() }
        return isBusy || started
    }

    private func startRequests(_ now: UInt64) -> Bool {
        guard underWay < depth else { return false }
        let due = pace.due(at: now, limit: UInt64(depth - underWay))
        guard due > 0 else { return false }
        var started: UInt64 = 0
        for slot in 0..<depth where !requests[slot].isUnderWay && started < due && start(slot) {
            started += 1
        }
        return started > 0
    }

    /// Starts a flush, a write or a read, whatever its turn is. False: the block that chance chose
    /// is busy, and two requests for one block have no order.
    private func start(_ slot: Int) -> Bool {
        if flushes && sinceFlush >= Self.writesPerFlush {
            sinceFlush = 0
            begin(slot, .flush, block: 0)
            return true
        }
        let block = random.next() % blocks
        let state = states[Int(block)]
        guard state & Self.isBusy == 0 else { return false }
        states[Int(block)] = state | Self.isBusy
        let generation = state & Self.generationMask
        // No write is covered by the next one before it was read back.
        let mayWrite = generation == 0 || state & Self.isVerified != 0 && random.next() & 1 == 0
        if mayWrite && !device.isReadOnly {
            stamp(device.buffer(slot), block: block, generation: generation + 1)
            sinceFlush += 1
            begin(slot, .write, block: block)
        } else {
            begin(slot, .read, block: block)
        }
        return true
    }

    private func begin(_ slot: Int, _ operation: BlockDevice.Operation, block: UInt64) {
        requests[slot] = Request(operation: operation, block: block, isUnderWay: true)
        underWay += 1
        device.start(operation, slot: slot, sector: block * Self.sectorsPerBlock)
    }

    private func finish(_ slot: Int, _ status: UInt8) {
        let request = requests[slot]
        guard request.isUnderWay else {
            // The same request completed twice.
            return reporter.error("disk_repeated", "disk", UInt64(number))
        }
        requests[slot].isUnderWay = false
        underWay -= 1
        let state = states[Int(request.block)] & ~Self.isBusy
        if request.operation != .flush { states[Int(request.block)] = state }
        guard status == 0 else {
            return reporter.diskError(
                "disk_status", disk: number, sector: request.block * Self.sectorsPerBlock,
                expected: 0, found: UInt64(status))
        }
        let generation = state & Self.generationMask
        switch request.operation {
        case .flush: break
        case .write:
            states[Int(request.block)] = (generation + 1) & Self.generationMask
            writes.add(1)
        case .read:
            states[Int(request.block)] = state | Self.isVerified
            reads.add(1)
            if generation > 0 {
                verify(device.buffer(slot), block: request.block, generation: generation)
            }
        }
    }

    private func stamp(
        _ words: UnsafeMutablePointer<UInt64>, block: UInt64, generation: UInt32
    ) {
        forEachWord(of: block, generation) { index, value in words[index] = value }
    }

    private func verify(
        _ words: UnsafeMutablePointer<UInt64>, block: UInt64, generation: UInt32
    ) {
        var wrong: Int?
        forEachWord(of: block, generation) { index, value in
            if words[index] != value && wrong == nil { wrong = index }
        }
        guard let wrong else { return }
        let sector = wrong / Self.wordsPerSector
        reporter.diskError(
            "disk", disk: number, sector: block * Self.sectorsPerBlock + UInt64(sector),
            expected: UInt64(generation), found: words[sector * Self.wordsPerSector + 1])
    }

    /// What belongs into a block: in each sector its number, the generation, then words that follow
    /// from both.
    @inline(__always)
    private func forEachWord(
        of block: UInt64, _ generation: UInt32, _ body: (Int, UInt64) -> Void
    ) {
        for sector in 0..<Int(Self.sectorsPerBlock) {
            let number = block * Self.sectorsPerBlock + UInt64(sector)
            let seed = mixed(number ^ UInt64(generation) << 40 ^ UInt64(self.number) << 36)
            let first = sector * Self.wordsPerSector
            body(first, number)
            body(first + 1, UInt64(generation))
            for index in 2..<Self.wordsPerSector {
                body(first + index, seed &* UInt64(2 * index + 1))
            }
        }
    }
}
