import GuestMemory
import KVM
import Testing

@testable import Machine

@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct DirtyLogTests {
    private let counterPage = Int(GuestProgram.counter) / 4096

    /// Takes what is in the log and forgets all of it, as a round that is sent does.
    private func takeAll(of guest: TestGuest) throws -> PageSet {
        var pages = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &pages)
        try forget(pages, of: guest)
        return pages
    }

    private func forget(_ pages: borrowing PageSet, of guest: TestGuest) throws {
        for region in guest.memory.layouts.indices {
            try guest.platform.forgetDirtyPages(
                0..<pages.pageCount(ofRegion: region), of: pages, inRegion: region)
        }
    }

    @Test func writtenPagesAreCollectedAndForgotten() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        try waitForProgress(of: guest)
        let pages = try takeAll(of: guest)
        let hasCounter = pages.contains(page: counterPage, inRegion: 0)
        #expect(hasCounter)

        // It goes on writing, so the page comes again although it was forgotten, and only it.
        try waitForProgress(of: guest)
        let more = try takeAll(of: guest)
        let hasCounterAgain = more.contains(page: counterPage, inRegion: 0)
        #expect(hasCounterAgain)
        let count = more.count
        #expect(count < 16)

        try guest.platform.pause()
        let last = try takeAll(of: guest)
        let lastCount = last.count
        #expect(lastCount <= 1)
        let rest = try takeAll(of: guest)
        let isForgotten = rest.isEmpty
        #expect(isForgotten)
        guest.platform.stopDirtyLog()
    }

    /// Memory that nobody has touched is never sent, so nobody would forget it.
    @Test func untouchedMemoryIsNotInTheLog() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        var touched = PageSet(layouts: guest.memory.layouts)
        for region in guest.memory.regions {
            for range in region.populatedRanges() { touched.insert(range) }
        }
        try guest.platform.startDirtyLog()
        var pages = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &pages)
        let (logged, all) = (pages.count, touched.count)
        #expect(logged <= all)
        #expect(all < 1024)
        guest.platform.stopDirtyLog()
    }

    /// A page that is touched for the first time while the log runs is in it.
    @Test func firstTouchIsInTheLog() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        try waitForProgress(of: guest)
        try guest.platform.pause()
        let pages = try takeAll(of: guest)
        let hasCounter = pages.contains(page: counterPage, inRegion: 0)
        #expect(hasCounter)
        guest.platform.stopDirtyLog()
    }

    /// What stays unsent stays in the log, unless the kernel cannot.
    @Test func onlyWhatIsForgottenLeavesTheLog() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try #require(guest.platform.dirtyLog.mode != .byReading)
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        try waitForProgress(of: guest)
        try guest.platform.pause()
        let none = PageSet(layouts: guest.memory.layouts)
        try forget(none, of: guest)
        let first = try takeAll(of: guest)
        let hasCounter = first.contains(page: counterPage, inRegion: 0)
        #expect(hasCounter)
        let second = try takeAll(of: guest)
        let isEmpty = second.isEmpty
        #expect(isEmpty)
        guest.platform.stopDirtyLog()
    }

    /// All three ways of the kernel find the same: a page written after it was forgotten.
    @Test(arguments: [DirtyLog.Mode.byReading, .onRequest, .onRequestInitiallySet])
    func everyModeRecordsWhatIsWrittenAgain(mode: DirtyLog.Mode) throws {
        let guest = try TestGuest(code: GuestProgram.count) { $0.dirtyLogMode = mode }
        let log = guest.platform.dirtyLog
        try #require(log.mode == mode, "this kernel has no such mode")
        try log.start()
        try guest.platform.start()
        for _ in 0..<3 {
            try waitForProgress(of: guest)
            var pages = PageSet(layouts: guest.memory.layouts)
            try log.collect(into: &pages)
            let hasCounter = pages.contains(page: counterPage, inRegion: 0)
            #expect(hasCounter)
            try log.forget(pages: 0..<pages.pageCount(ofRegion: 0), of: pages, inRegion: 0)
        }
        try guest.platform.pause()
        log.stop()
    }

    // MARK: - Rings

    private func ringGuest(
        _ code: [UInt8] = GuestProgram.count, processorCount: Int = 1
    ) throws -> TestGuest? {
        let system = try KVMSystem()
        guard system.value(of: .dirtyRing) > 0 || system.value(of: .dirtyRingInOrder) > 0 else {
            #expect(throws: PlatformError.self) {
                _ = try TestGuest(code: code) { $0.dirtyTracking = .ring }
            }
            return nil
        }
        return try TestGuest(code: code, processorCount: processorCount) {
            $0.dirtyTracking = .ring
        }
    }

    @Test func ringRecordsWhatIsWrittenAgain() throws {
        guard let guest = try ringGuest() else { return }
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        for _ in 0..<5 {
            try waitForProgress(of: guest)
            let pages = try takeAll(of: guest)
            let hasCounter = pages.contains(page: counterPage, inRegion: 0)
            #expect(hasCounter)
        }
        try guest.platform.pause()
        _ = try takeAll(of: guest)
        let rest = try takeAll(of: guest)
        let isEmpty = rest.isEmpty
        #expect(isEmpty)
        guest.platform.stopDirtyLog()
    }

    /// More pages than a ring has entries: the processor comes out, and nothing is lost.
    @Test func fullRingIsEmptiedAndNothingIsLost() throws {
        let memory = try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: 128 << 20),
            backing: .sharedFile(hugePages: nil))
        guard try ringGuest() != nil else { return }
        let guest = try TestGuest(code: GuestProgram.touchPages(30_000), memory: memory) {
            $0.dirtyTracking = .ring
        }
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        let last = GuestAddress(UInt64(GuestProgram.counter) + 29_999 * 4096)
        try #require(try eventually { try memory.load(UInt32.self, at: last) != 0 })
        try guest.platform.pause()
        let pages = try takeAll(of: guest)
        var missing = 0
        for page in counterPage..<(counterPage + 30_000) {
            let isThere = pages.contains(page: page, inRegion: 0)
            missing += isThere ? 0 : 1
        }
        #expect(missing == 0)
        #expect(guest.platform.dirtyLog.recentPages?.first ?? 0 >= 30_000)
        guest.platform.stopDirtyLog()
    }

    @Test func whoeverWritesMostIsThrottledMost() {
        #expect(ProcessorThrottle.shares(percent: 80, pages: nil, count: 2) == [80, 80])
        #expect(ProcessorThrottle.shares(percent: 80, pages: [0, 0], count: 2) == [80, 80])
        #expect(
            ProcessorThrottle.shares(percent: 80, pages: [1000, 250, 0], count: 3) == [80, 20, 0])
        #expect(
            ProcessorThrottle.shares(percent: 99, pages: [.max, 1], count: 2) == [99, 0])
    }

    @Test func withoutLogNothingIsCollected() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        var pages = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &pages)
        let isEmpty = pages.isEmpty
        #expect(isEmpty)
        guest.platform.stopDirtyLog()
    }

    private func waitForProgress(of guest: TestGuest) throws {
        let address = GuestAddress(UInt64(GuestProgram.counter))
        let before = try guest.memory.load(UInt32.self, at: address)
        try #require(
            try eventually { try guest.memory.load(UInt32.self, at: address) > before + 100 })
    }
}
