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

    /// A page that was written again after it was collected, and before it is sent, is sent as it is
    /// then: once.
    @Test func pageThatIsWrittenAgainBeforeItIsForgottenIsNotCollectedAgain() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try #require(guest.platform.dirtyLog.mode != .byReading)
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        try waitForProgress(of: guest)
        var pages = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &pages)
        try waitForProgress(of: guest)
        try guest.platform.pause()

        try forget(pages, of: guest)

        let rest = try takeAll(of: guest)
        let hasCounter = rest.contains(page: counterPage, inRegion: 0)
        #expect(!hasCounter)
        guest.platform.stopDirtyLog()
    }

    // MARK: - Rings

    private static let hasRings: Bool = {
        guard let system = try? KVMSystem() else { return false }
        return system.value(of: .dirtyRing) > 0 || system.value(of: .dirtyRingInOrder) > 0
    }()

    private func useRings(_ configuration: inout PlatformConfiguration) {
        configuration.dirtyTracking = .ring
        configuration.triesDirtyRings = false
    }

    /// Enough for 30 000 pages after the counter.
    private func largeMemory() throws -> GuestRAM {
        try GuestRAM(
            layout: PhysicalLayout.regions(memorySize: 128 << 20),
            backing: .sharedFile(hugePages: nil))
    }

    private func missingPages(_ pages: borrowing PageSet) -> Int {
        var missing = 0
        for page in counterPage..<(counterPage + 30_000) {
            let isThere = pages.contains(page: page, inRegion: 0)
            missing += isThere ? 0 : 1
        }
        return missing
    }

    private func waitForLastPage(of guest: TestGuest) throws {
        let last = GuestAddress(UInt64(GuestProgram.counter) + 29_999 * 4096)
        try #require(
            try eventually { try guest.memory.load(UInt32.self, at: last) != 0 })
    }

    @Test(.enabled(if: hasRings, "this KVM has no rings of written pages"))
    func ringRecordsWhatIsWrittenAgain() throws {
        let guest = try TestGuest(code: GuestProgram.count, adjust: useRings)
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

    /// More pages than a ring has entries: the processor comes out, and nothing is lost. The code is
    /// of a kind that no KVM emulates.
    @Test(.enabled(if: hasRings, "this KVM has no rings of written pages"))
    func fullRingIsEmptiedAndNothingIsLost() throws {
        let guest = try TestGuest.touchingPages(
            30_000, memory: try largeMemory(), adjust: useRings)
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        try waitForLastPage(of: guest)
        try guest.platform.pause()
        let pages = try takeAll(of: guest)
        let missing = missingPages(pages)
        #expect(missing == 0)
        #expect(guest.platform.dirtyLog.recentPages?.first ?? 0 >= 30_000)
        guest.platform.stopDirtyLog()
    }

    /// A KVM that emulates privileged code may let a ring overflow. Then the record says so, now and
    /// for ever, and is never handed out with pages missing.
    @Test(.enabled(if: hasRings, "this KVM has no rings of written pages"))
    func ringThatOverflowsIsNoticed() throws {
        let guest = try TestGuest(
            code: GuestProgram.touchPages(30_000), memory: try largeMemory(), adjust: useRings)
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        try waitForLastPage(of: guest)
        try guest.platform.pause()
        var pages = PageSet(layouts: guest.memory.layouts)
        do {
            try guest.platform.collectDirtyLog(into: &pages)
        } catch {
            #expect("\(error)".contains("dirty_tracking=log"), "\(error)")
            #expect(throws: PlatformError.self) { try guest.platform.startDirtyLog() }
            // Such a kernel is not used for it.
            #expect(try !DirtyRingTrial.succeeds(on: try KVMSystem()))
            return
        }
        let missing = missingPages(pages)
        #expect(missing == 0)
        guest.platform.stopDirtyLog()
    }

    /// Where a trial shows that rings lose pages, or where there are none, a guest that wants them is
    /// refused by name; elsewhere it gets them.
    @Test func ringsAreRefusedWhereTheyCannotBeReliedOn() throws {
        guard Self.hasRings else {
            #expect(throws: PlatformError.missingDirtyRings) {
                _ = try TestGuest(code: GuestProgram.count) { $0.dirtyTracking = .ring }
            }
            return
        }
        guard try DirtyRingTrial.succeeds(on: try KVMSystem()) else {
            #expect(throws: PlatformError.unreliableDirtyRings) {
                _ = try TestGuest(code: GuestProgram.count) { $0.dirtyTracking = .ring }
            }
            return
        }
        let guest = try TestGuest(code: GuestProgram.count) { $0.dirtyTracking = .ring }
        #expect(guest.platform.dirtyLog.mode == .rings)
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
