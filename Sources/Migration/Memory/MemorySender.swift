import GuestMemory
import LinuxSystem
import MigrationProtocol

/// Turns a set of pages into requests: finds runs, leaves out zeros, batches.
///
/// The loop over pages allocates nothing and copies nothing: a batch is a table of ranges and as
/// many segments of guest memory, which the channel sends from where they are. Its storage is
/// reused from batch to batch. The order for each page is: its dirty bit was cleared before it came
/// into the set, then it is scanned, then read; what the guest writes in between makes it dirty
/// again.
struct MemorySender {
    /// What is done with pages that are all zeros.
    enum ZeroPages {
        /// They are told as ranges without contents.
        case asRanges
        /// They are left out: memory that the destination just made is zero.
        case leftOut
        /// They are sent like any other, because the destination may have older contents.
        case asContents
    }

    /// The least and the most contents of a batch, in bytes.
    static let batchBytes: ClosedRange<UInt64> = (256 << 10)...Limits.contentPerRequest

    /// How long one batch shall take, in milliseconds: short enough for a cancel between two of
    /// them, long enough that the turn-around does not count.
    private static let batchMilliseconds: UInt64 = 100

    private let memory: GuestRAM
    private var contents = MemoryRangeTable(reservingCapacity: Limits.rangesPerRequest)
    private var zeros = MemoryRangeTable(reservingCapacity: Limits.rangesPerRequest)
    private var segments: [MemorySegment] = []
    private var batchLimit: UInt64 = 4 << 20

    init(memory: GuestRAM) {
        self.memory = memory
        segments.reserveCapacity(Limits.rangesPerRequest)
    }

    /// Takes the answer of the batch before, and chooses the size of the next one.
    private mutating func finishBatch(of sink: some MemorySink) throws(MigrationError) {
        try sink.finish()
        adapt(to: sink)
    }

    /// Chooses the size of batches by the rate of the last one.
    private mutating func adapt(to sink: some MemorySink) {
        let rate = sink.bytesPerSecond
        guard rate > 0 else { return }
        let wanted = rate / 1000 &* Self.batchMilliseconds
        batchLimit = min(max(wanted, Self.batchBytes.lowerBound), Self.batchBytes.upperBound)
    }

    /// Sends all pages of the set.
    mutating func send(
        _ pages: borrowing PageSet, zeroPages: ZeroPages, to sink: some MemorySink
    ) throws(MigrationError) {
        adapt(to: sink)
        for index in memory.regions.indices {
            let region = memory.regions[index].segment
            var next = 0
            while let run = pages.nextRun(from: next, inRegion: index, limit: Self.pagesPerRun) {
                next = run.upperBound
                try send(run, of: region, index, zeroPages, to: sink)
            }
        }
        try flushZeros(to: sink)
        try flushContents(to: sink)
        try finishBatch(of: sink)
    }

    /// A run is cut so that a batch does not become much larger than its limit.
    private static let pagesPerRun = 1024

    /// Splits one run of pages into pages with contents and zeros.
    private mutating func send(
        _ run: Range<Int>, of region: MemorySegment, _ index: Int, _ zeroPages: ZeroPages,
        to sink: some MemorySink
    ) throws(MigrationError) {
        let size = Int(trackedPageSize)
        if case .asContents = zeroPages {
            return try add(run, of: region, index, isZero: false, zeroPages, to: sink)
        }
        var start = run.lowerBound
        var isZero = false
        for page in run {
            let found = region.part(offset: page * size, length: size)?.isZero ?? false
            if found != isZero {
                try add(start..<page, of: region, index, isZero: isZero, zeroPages, to: sink)
                start = page
                isZero = found
            }
        }
        try add(start..<run.upperBound, of: region, index, isZero: isZero, zeroPages, to: sink)
    }

    /// Adds pages to the batch, and sends it when it is full.
    private mutating func add(
        _ pages: Range<Int>, of region: MemorySegment, _ index: Int, isZero: Bool,
        _ zeroPages: ZeroPages, to sink: some MemorySink
    ) throws(MigrationError) {
        guard !pages.isEmpty else { return }
        let size = Int(trackedPageSize)
        let range = MemoryRange(
            address: memory.regions[index].layout.start.rawValue
                + UInt64(pages.lowerBound) * trackedPageSize,
            length: UInt64(pages.count) * trackedPageSize)
        if isZero {
            guard case .asRanges = zeroPages else { return }
            zeros.append(range)
            if zeros.count >= Limits.rangesPerRequest { try flushZeros(to: sink) }
            return
        }
        guard
            let segment = region.part(
                offset: pages.lowerBound * size, length: pages.count * size)
        else { return }
        contents.append(range)
        segments.append(segment)
        if contents.contentLength >= batchLimit || contents.count >= Limits.rangesPerRequest {
            try flushContents(to: sink)
        }
    }

    private mutating func flushContents(to sink: some MemorySink) throws(MigrationError) {
        guard !contents.isEmpty else { return }
        try finishBatch(of: sink)
        try sink.begin(contents, segments)
        contents.removeAll()
        segments.removeAll(keepingCapacity: true)
    }

    private mutating func flushZeros(to sink: some MemorySink) throws(MigrationError) {
        guard !zeros.isEmpty else { return }
        try finishBatch(of: sink)
        try sink.beginZeros(zeros)
        zeros.removeAll()
    }
}

/// Where a sender's batches go, one at a time.
///
/// A batch is begun and finished apart from each other: while the destination works through the
/// rest of one, the sender looks for the pages of the next.
protocol MemorySink {
    /// Rate of the last batch with contents, in bytes per second; 0 before there was one.
    var bytesPerSecond: UInt64 { get }

    /// Sends ranges with contents. Both may be changed when this returns.
    func begin(
        _ table: MemoryRangeTable, _ contents: [MemorySegment]
    ) throws(MigrationError)

    /// Sends ranges of zeros.
    func beginZeros(_ table: MemoryRangeTable) throws(MigrationError)

    /// Waits until the destination has what was begun, if anything was.
    func finish() throws(MigrationError)
}
