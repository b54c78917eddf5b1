import ControlAPI
import LinuxSystem
import Machine
import Testing

@testable import VMM

@Suite struct ControlQueueTests {
    /// Soon enough for a test, late enough for a loaded machine.
    private static var soon: MonotonicInstant { .after(milliseconds: 120_000) }

    private func generations(_ messages: [ControlMessage]) -> [UInt64] {
        messages.compactMap { message in
            if case .guest(_, let generation) = message { generation } else { nil }
        }
    }

    @Test func messagesComeInTheirOrder() throws {
        let queue = try ControlQueue(signals: SignalDescriptor())
        for generation in 0..<100 as Range<UInt64> {
            queue.post(.guest(.ejected, generation: generation))
        }
        #expect(generations(try queue.take(deadline: Self.soon)) == Array(0..<100))
        #expect(try queue.take(deadline: .now).isEmpty)
    }

    @Test func emptyQueueWaitsNoLongerThanAsked() throws {
        let queue = try ControlQueue(signals: SignalDescriptor())
        let deadline = MonotonicInstant.after(milliseconds: 20)
        #expect(try queue.take(deadline: deadline).isEmpty)
        #expect(deadline.hasPassed)
    }

    @Test func messageOfAnotherThreadEndsTheWait() throws {
        let queue = try ControlQueue(signals: SignalDescriptor())
        let thread = try WorkerThread(name: "poster") { _ in
            queue.post(.migrationEnded)
        }
        let messages = try queue.take(deadline: Self.soon)
        thread.join()
        #expect(messages.count == 1)
    }

    @Test func replyIsForTheFirstWhoAsks() {
        let pending = PendingReply(APIReply { _ in })
        var taken = 0
        for _ in 0..<2 {
            if let reply = pending.take() {
                reply.succeed()
                taken += 1
            }
        }
        #expect(taken == 1)
    }
}
