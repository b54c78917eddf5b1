import ControlAPI
import Glibc
import GuestMemory
import LinuxSystem
import Logging
import Testing

@testable import VMM

// SAFETY: the path is a terminated string for the length of the call.
private let kvmIsAvailable = unsafe access("/dev/kvm", R_OK | W_OK) == 0

/// What devices write is recorded and forgotten like what vCPUs write.
@Suite(.enabled(if: kvmIsAvailable, "needs /dev/kvm, readable and writable"))
struct DirtyPagesTests {
    private func makeGuest() throws -> KVMGuest {
        var configuration = VmConfig()
        var payload = PayloadConfig()
        payload.kernel = "/none"
        configuration.payload = payload
        configuration.memory.size = 4 << 20
        configuration.console.mode = .null
        let environment = VMMEnvironment(
            queue: try ControlQueue(signals: SignalDescriptor()),
            events: EventSink(monitor: nil),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            allowsPlainTCP: false)
        return try KVMGuest(
            building: configuration, memory: .make(for: configuration.memory), arrived: nil,
            environment
        ) { _ in }
    }

    /// A page that a device writes again after it was collected, and before it is sent, is sent once.
    @Test func pageThatADeviceWritesAgainBeforeItIsForgottenIsNotCollectedAgain() throws {
        let guest = try makeGuest()
        defer { guest.letGo() }
        let memory = guest.memory
        try guest.startDirtyTracking()
        try memory.store(UInt64(1), at: GuestAddress(0x5000))
        try memory.store(UInt64(1), at: GuestAddress(0x9000))
        var pages = PageSet(layouts: memory.layouts)
        try guest.collectDirtyPages(into: &pages)
        let areFound = pages.contains(page: 5, inRegion: 0) && pages.contains(page: 9, inRegion: 0)
        #expect(areFound)
        try memory.store(UInt64(2), at: GuestAddress(0x5000))

        try guest.forgetDirtyPages(0..<64, of: pages, inRegion: 0)
        try memory.store(UInt64(2), at: GuestAddress(0x9000))

        var rest = PageSet(layouts: memory.layouts)
        try guest.collectDirtyPages(into: &rest)
        let hasFirst = rest.contains(page: 5, inRegion: 0)
        let hasSecond = rest.contains(page: 9, inRegion: 0)
        #expect(!hasFirst && hasSecond)
        guest.stopDirtyTracking()
    }
}
