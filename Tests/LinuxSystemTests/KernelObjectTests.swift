import Glibc
import LinuxSystem
import Testing

@Suite struct KernelObjectTests {
    @Test func timerIsDueAtItsTime() throws {
        let timer = try TimerDescriptor(name: "soon")
        #expect(timer.drain() == 0)

        try timer.set(at: .now)
        try timer.descriptor.wait(for: .readable, deadline: .after(milliseconds: 120_000))

        #expect(timer.drain() == 1)
    }

    @Test func canceledTimerIsNeverDue() throws {
        let timer = try TimerDescriptor(name: "canceled")
        try timer.set(at: .now)

        try timer.cancel()

        #expect(timer.drain() == 0)
    }

    @Test func runningProcessHasNotEnded() throws {
        let process = try ProcessDescriptor(process: getpid())

        #expect(try !process.hasEnded)
    }

    @Test func peerOfASocketPairIsThisProcess() throws {
        let pair = try StreamSocket.pair(name: "own")

        #expect(try pair.first.peerProcess == getpid())
    }

    @Test func missingProcessIsNamed() {
        let error = #expect(throws: SystemError.self) {
            _ = try ProcessDescriptor(process: Int32.max)
        }
        #expect(error?.object == "process 2147483647")
    }

    @Test func signalForTheThreadIsReadInsteadOfDelivered() throws {
        let thread = try WorkerThread(name: "signals") { _ in
            guard let signals = try? SignalDescriptor() else { return }
            #expect(signals.next() == nil)
            pthread_kill(pthread_self(), SIGTERM)
            #expect(signals.next() == SIGTERM)
        }
        thread.join()
    }

    @Test func secondExclusiveLockIsRefused() throws {
        let path = "/tmp/martlet-\(getpid())-lock"
        let first = try FileLock(
            locking: OwnedDescriptor(opening: path, [.write, .create]), .exclusive)

        let error = #expect(throws: SystemError.self) {
            _ = try FileLock(locking: OwnedDescriptor(opening: path), .shared)
        }
        _ = try first.unlock()
        _ = try FileLock(locking: OwnedDescriptor(opening: path), .shared)

        #expect(error?.errno == .wouldBlock)
        #expect(error?.object == path)
        unsafe unlink(path)
    }

    @Test func duplicatesShareTheLock() throws {
        let path = "/tmp/martlet-\(getpid())-shared-lock"
        let lock = try FileLock(
            locking: OwnedDescriptor(opening: path, [.write, .create]), .exclusive)

        try lock.descriptor.duplicate().lock(.exclusive)

        unsafe unlink(path)
    }

    @Test func randomBytesDiffer() throws {
        var first = [UInt8](repeating: 0, count: 32)
        var second = first
        var firstSpan = first.mutableSpan
        try RandomBytes.fill(&firstSpan)
        var secondSpan = second.mutableSpan
        try RandomBytes.fill(&secondSpan)

        #expect(first != second)
    }

    @Test func monotonicTimeAdvancesAndSaturates() {
        let start = MonotonicInstant.now

        #expect(start.advanced(byNanoseconds: 5).nanoseconds(since: start) == 5)
        #expect(start.nanoseconds(since: start.advanced(byNanoseconds: 5)) == 0)
        #expect(start.advanced(byNanoseconds: .max) == .distantFuture)
        #expect(start.hasPassed)
        #expect(!MonotonicInstant.distantFuture.hasPassed)
    }
}
