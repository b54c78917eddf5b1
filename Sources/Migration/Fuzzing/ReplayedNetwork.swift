import LinuxSystem
import MigrationProtocol
import Synchronization
import Transport

/// A source whose bytes were all written down before: what a fuzzer makes up, or what a peer once
/// sent. Nobody hears the answers, and nothing waits: where the bytes end, the connection ends.
final class ReplayedChannel: Channel {
    let peer = "a replayed source"
    let passesDescriptors = true
    let peerHasEnded: Bool? = nil

    private let rest: Mutex<ArraySlice<UInt8>>
    private let answers = Mutex<[UInt8]>([])

    init(_ bytes: [UInt8]) {
        rest = Mutex(bytes[...])
    }

    /// What was answered.
    var answered: [UInt8] { answers.withLock { $0 } }

    func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        answers.withLock { $0 += head }
    }

    func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor, within limits: OperationLimits
    ) throws(TransportError) {
        try send(bytes, within: limits)
    }

    func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        buffer = try take(count)
    }

    func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        for segment in segments { segment.copy(from: try take(segment.count)) }
    }

    /// Every descriptor is a file of one page, which suits some descriptions of memory and not
    /// others.
    func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        buffer = try take(count)
        do throws(SystemError) {
            let file = try MemoryFile(name: "replayed", size: RunFlag.pageByteCount)
            try file.add(.shrink)
            return file.intoDescriptor()
        } catch {
            throw .system(peer: peer, error)
        }
    }

    func close(_ manner: ClosingManner) {
        rest.withLock { $0 = [] }
    }

    private func take(_ count: Int) throws(TransportError) -> [UInt8] {
        let taken = rest.withLock { rest -> [UInt8] in
            let taken = Array(rest.prefix(count))
            rest = rest.dropFirst(count)
            return taken
        }
        guard taken.count == count else { throw .truncated(peer: peer) }
        return taken
    }
}

/// A network in which one replayed source connects, once.
struct ReplayedNetwork: Network {
    let now = MonotonicInstant(nanoseconds: 1_000_000_000)

    func sleep(until end: MonotonicInstant, unless cancellation: Cancellation?) {}

    func wait(
        on event: borrowing EventDescriptor, until end: MonotonicInstant,
        for condition: @escaping @Sendable () -> Bool
    ) -> Bool {
        condition()
    }

    func connect(
        to url: MigrationURL, within limits: OperationLimits
    ) throws(TransportError) -> ReplayedChannel {
        throw .notListening(url)
    }

    func listen(on url: MigrationURL) throws(TransportError) -> ReplayedListener {
        throw .notListening(url)
    }

    /// Runs the body at once: nothing waits here.
    func spawn(
        _ kind: ThreadKind, _ name: String, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        body()
    }
}

/// Where the replayed source arrives.
final class ReplayedListener: ConnectionListener {
    let url = MigrationURL.unix(path: "/replayed")
    private let waiting: Mutex<ReplayedChannel?>

    init(_ channel: ReplayedChannel) {
        waiting = Mutex(channel)
    }

    func accept(within limits: OperationLimits) throws(TransportError) -> ReplayedChannel {
        guard let channel = waiting.withLock({ $0.take() }) else { throw .notListening(url) }
        return channel
    }

    func close() {}
}
