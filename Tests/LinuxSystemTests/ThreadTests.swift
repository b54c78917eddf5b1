import CLinux
import Glibc
import LinuxSystem
import Synchronization
import Testing

@Suite struct ThreadTests {
    @Test func eventCountsUntilItIsDrained() throws {
        let event = try EventDescriptor(name: "bell")
        event.signal()
        event.signal()

        #expect(event.drain() == 2)
        #expect(event.drain() == 0)
    }

    @Test func adoptedEventDoesNotWait() throws {
        let number = eventfd(0, 0)
        let event = try EventDescriptor(
            adopting: OwnedDescriptor(adopting: number, name: "foreign"))

        #expect(event.drain() == 0)
    }

    @Test func pollerReportsTheReadyOne() throws {
        let poller = try Poller()
        let quiet = try EventDescriptor(name: "quiet")
        let loud = try EventDescriptor(name: "loud")
        try poller.add(quiet.descriptor, for: .readable, token: 1)
        try poller.add(loud.descriptor, for: .readable, token: .max)
        loud.signal()

        var tokens: [UInt64] = []
        let ready = try poller.wait(deadline: .after(milliseconds: 120_000)) { token, readiness in
            tokens.append(token)
            #expect(readiness == .readable)
        }

        #expect(ready)
        #expect(tokens == [.max])
    }

    @Test func pollerEndsAtTheDeadline() throws {
        let poller = try Poller()

        #expect(try !poller.wait(deadline: .after(milliseconds: 1)) { _, _ in })
    }

    @Test func removedDescriptorIsNoLongerReported() throws {
        let poller = try Poller()
        let event = try EventDescriptor(name: "removed")
        try poller.add(event.descriptor, for: .readable, token: 1)
        event.signal()

        try poller.remove(event.descriptor)

        #expect(try !poller.wait(deadline: .now) { _, _ in })
    }

    @Test func threadRunsUntilItIsAskedToStop() throws {
        let shared = SharedFlag()
        let thread = try WorkerThread(name: "waits") { stop in
            try? stop.wait()
            shared.set()
        }
        #expect(!shared.isSet)

        thread.requestStop()
        thread.join()

        #expect(shared.isSet)
    }

    @Test func endOfTheOwnerStopsTheThread() throws {
        let shared = SharedFlag()
        do {
            _ = try WorkerThread(name: "short") { stop in
                try? stop.wait()
                shared.set()
            }
        }
        #expect(shared.isSet)
    }

    @Test func kickInterruptsABlockingCall() throws {
        let interrupted = Box(try EventDescriptor(name: "interrupted"))
        let thread = try WorkerThread(name: "blocked") { _ in
            // Waits for nothing, for ever.
            if poll(nil, 0, -1) == -1, errno == EINTR { interrupted.value.signal() }
        }

        // A kick before the call has no effect, so it is repeated.
        let deadline = MonotonicInstant.after(milliseconds: 120_000)
        while interrupted.value.drain() == 0, !deadline.hasPassed {
            thread.kick()
            try? interrupted.value.descriptor.wait(
                for: .readable, deadline: .after(milliseconds: 1))
        }
        #expect(!deadline.hasPassed)
    }

    @Test func workersDoNotTakeSignalsForTheProcess() throws {
        let blocked = SharedFlag()
        let thread = try WorkerThread(name: "masked") { _ in
            var mask = sigset_t()
            unsafe pthread_sigmask(SIG_BLOCK, nil, &mask)
            if unsafe sigismember(&mask, SIGTERM) == 1, unsafe sigismember(&mask, SIGSEGV) == 0 {
                blocked.set()
            }
        }
        thread.join()

        #expect(blocked.isSet)
    }

    @Test func kickedThreadAfterItsEndIsHarmless() throws {
        let thread = try WorkerThread(name: "ended") { _ in }
        thread.join()
        thread.kick()
        thread.join()
    }
}

/// A flag that a closure can hold.
final class SharedFlag: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .acquiring) }
    func set() { flag.store(true, ordering: .releasing) }
}
