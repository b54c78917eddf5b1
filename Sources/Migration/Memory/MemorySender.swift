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

    private let memory: GuestRAM
    private var contents = MemoryRangeTable(reservingCapacity: Limits.rangesPerRequest)
    private var zeros = MemoryRangeTable(reservingCapacity: Limits.rangesPerRequest)
    private var segments: [MemorySegment] = []

    /// Runs until the sink is asked again whether memory is wanted; also after each batch.
    private var runsUntilAsked = 0
    private static let runsPerQuestion = 64

    init(memory: GuestRAM) {
        self.memory = memory
        segments.reserveCapacity(Limits.rangesPerRequest)
    }

    /// Sends all pages of the set, and waits until the destination has them.
    mutating func send(
        _ pages: borrowing PageSet, zeroPages: ZeroPages, to sink: some MemorySink
    ) throws(MigrationError) {
        for index in memory.regions.indices {
            let all = MemoryPart(region: index, pages: 0..<pages.pageCount(ofRegion: index))
            try send(all, of: pages, zeroPages: zeroPages, to: sink)
        }
        try finish(sink)
    }

    /// Sends those pages of the set that are in one part of memory, as long as they are wanted; some
    /// may wait for `finish`.
    ///
    /// - Returns: whether all of them were wanted.
    @discardableResult
    mutating func send(
        _ part: MemoryPart, of pages: borrowing PageSet, zeroPages: ZeroPages,
        to sink: some MemorySink
    ) throws(MigrationError) -> Bool {
        let region = memory.regions[part.region].segment
        // A batch that is small, because little may be sent in a second or because its blocks are
        // compressed one by one, is not exceeded by far.
        let longestRun = Int(
            clamping: min(max(sink.batchBytes / trackedPageSize, 1), Self.mostPagesPerRun))
        var next = part.pages.lowerBound
        runsUntilAsked = 0
        while let found = pages.nextRun(from: next, inRegion: part.region, limit: longestRun),
            found.lowerBound < part.pages.upperBound
        {
            if runsUntilAsked == 0 {
                guard sink.isMemoryWanted else { return false }
                runsUntilAsked = Self.runsPerQuestion
            }
            runsUntilAsked -= 1
            let run = found.clamped(to: part.pages)
            next = run.upperBound
            try send(run, of: region, part.region, zeroPages, to: sink)
        }
        return true
    }

    /// Sends what is left over, and waits until the destination has everything.
    mutating func finish(_ sink: some MemorySink) throws(MigrationError) {
        try flushZeros(to: sink)
        try flushContents(to: sink)
        try sink.finish()
    }

    /// How far ahead of the look for zeros a page is fetched. Each is a miss of the cache and of the
    /// address translation, and a page with contents is done with after its first word: without this
    /// the look took nearly as long as sending.
    private static let pagesAhead = 16

    /// A run is cut, at twice its limit at most, so that a batch does not become much larger.
    private static let mostPagesPerRun: UInt64 = 1024

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
            region.prefetch(offset: (page + Self.pagesAhead) * size)
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
        if contents.contentLength >= sink.batchBytes || contents.count >= Limits.rangesPerRequest {
            try flushContents(to: sink)
        }
    }

    private mutating func flushContents(to sink: some MemorySink) throws(MigrationError) {
        guard !contents.isEmpty else { return }
        try sink.begin(contents, segments)
        runsUntilAsked = 0
        contents.removeAll()
        segments.removeAll(keepingCapacity: true)
    }

    private mutating func flushZeros(to sink: some MemorySink) throws(MigrationError) {
        guard !zeros.isEmpty else { return }
        try sink.beginZeros(zeros)
        zeros.removeAll()
    }
}
