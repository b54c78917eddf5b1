import LinuxSystem
import Machine
import Synchronization
import Testing

@Suite struct EventLoopTests {
    @Test(.timeLimit(.minutes(5))) func handlerRunsWhenItsDescriptorIsReady() throws {
        let loop = try EventLoop(name: "test")
        let input = try EventDescriptor(name: "input")
        let output = try SharedEvent()
        let watch = try loop.watch(input.descriptor, for: .readable) { _ in output.event.signal() }
        input.signal()
        try output.event.wait(deadline: .after(milliseconds: 120_000))
        loop.unwatch(watch, of: input.descriptor)
    }

    @Test(.timeLimit(.minutes(5))) func handlerIsNotCalledAfterUnwatch() throws {
        let loop = try EventLoop(name: "test")
        let input = try EventDescriptor(name: "input")
        let called = Counter()
        let isOver = Counter()
        let calledTooLate = Counter()
        let watch = try loop.watch(input.descriptor, for: .readable) { _ in
            called.increment()
            if isOver.value > 0 { calledTooLate.increment() }
        }
        // The event stays signalled, so the handler is called over and over.
        input.signal()
        while called.value < 10 {}
        loop.unwatch(watch, of: input.descriptor)
        isOver.increment()
        loop.perform {}
        loop.stop()
        #expect(calledTooLate.value == 0)
    }

    @Test(.timeLimit(.minutes(5))) func performExcludesHandlers() throws {
        let loop = try EventLoop(name: "test")
        let input = try EventDescriptor(name: "input")
        let inside = Counter()
        let together = Counter()
        let called = Counter()
        let watch = try loop.watch(input.descriptor, for: .readable) { _ in
            if inside.value > 0 { together.increment() }
            called.increment()
        }
        input.signal()
        while called.value < 100 {
            loop.perform {
                inside.increment()
                for _ in 0..<100 { together.touch() }
                inside.decrement()
            }
        }
        loop.unwatch(watch, of: input.descriptor)
        #expect(together.value == 0)
    }

    @Test(.timeLimit(.minutes(5))) func performMayBeCalledWithinPerformAndHandlers() throws {
        let loop = try EventLoop(name: "test")
        let value = loop.perform { loop.perform { 7 } }
        #expect(value == 7)

        let input = try EventDescriptor(name: "input")
        let output = try SharedEvent()
        let watch = try loop.watch(input.descriptor, for: .readable, edgeTriggered: true) { _ in
            loop.perform { output.event.signal() }
        }
        input.signal()
        try output.event.wait(deadline: .after(milliseconds: 120_000))
        loop.unwatch(watch, of: input.descriptor)
    }

    @Test(.timeLimit(.minutes(5))) func stoppedLoopStillPerforms() throws {
        let loop = try EventLoop(name: "test")
        loop.stop()
        #expect(loop.perform { 3 } == 3)
    }
}

/// An event that a handler and its test both hold.
private final class SharedEvent: Sendable {
    let event: EventDescriptor

    init() throws {
        event = try EventDescriptor(name: "test")
    }
}

private final class Counter: Sendable {
    private let count = Atomic(0)

    var value: Int { count.load(ordering: .sequentiallyConsistent) }

    func increment() { count.add(1, ordering: .sequentiallyConsistent) }

    func decrement() { count.subtract(1, ordering: .sequentiallyConsistent) }

    func touch() { count.add(0, ordering: .sequentiallyConsistent) }
}
