import GuestMemory
import Machine
import Testing

@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct DirtyLogTests {
    private let counterPage = Int(GuestProgram.counter) / 4096

    @Test func writtenPagesAreCollectedAndForgotten() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.startDirtyLog()
        try guest.platform.start()
        try waitForProgress(of: guest)
        var pages = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &pages)
        let hasCounter = pages.contains(page: counterPage, inRegion: 0)
        #expect(hasCounter)
        let count = pages.count
        #expect(count < 16)

        // It goes on writing, so the page comes again although it was forgotten.
        try waitForProgress(of: guest)
        var more = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &more)
        let hasCounterAgain = more.contains(page: counterPage, inRegion: 0)
        #expect(hasCounterAgain)

        try guest.platform.pause()
        var last = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &last)
        let lastCount = last.count
        #expect(lastCount <= 1)
        guest.platform.stopDirtyLog()
    }

    @Test func whatWasWrittenBeforeIsNotInTheLog() throws {
        let guest = try TestGuest(code: GuestProgram.count)
        try guest.platform.start()
        try waitForProgress(of: guest)
        try guest.platform.pause()
        try guest.platform.startDirtyLog()
        var pages = PageSet(layouts: guest.memory.layouts)
        try guest.platform.collectDirtyLog(into: &pages)
        let isEmpty = pages.isEmpty
        #expect(isEmpty)
        guest.platform.stopDirtyLog()
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
