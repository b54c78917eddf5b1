public import LinuxSystem
internal import Synchronization

/// A TCP connection to a guest's echo service that is never idle: it sends a record, waits for it
/// to come back, checks every byte and sends the next. What it counts shows whether a migration
/// lost or delayed anything for the world outside.
public final class EchoClient: Sendable {
    /// What was seen so far.
    public struct Counts: Hashable, Sendable {
        /// Records that came back as they were sent.
        public var records: UInt64 = 0
        /// The longest time between two records that came back, in nanoseconds.
        public var longestGap: UInt64 = 0
        /// Why the connection ended; nil while it lives.
        public var failure: String?
    }

    private let session: Session
    private let thread: WorkerThread

    /// Connects and begins.
    ///
    /// The connection is made in the network namespace of the calling thread.
    ///
    /// - Parameters:
    ///   - address: `host:port` of the guest.
    ///   - deadline: until when the guest must have accepted.
    public init(address: String, deadline: MonotonicInstant) throws(SystemError) {
        let addresses = try SocketAddress.resolve(address)
        let session = Session(try StreamSocket.connect(to: addresses, deadline: deadline))
        self.session = session
        thread = try WorkerThread(name: "echo") { _ in session.run() }
    }

    deinit {
        stop()
    }

    /// What was seen so far.
    public var counts: Counts { session.counts.withLock { $0 } }

    /// Forgets the longest gap, so that the next one is that of what comes now.
    public func resetGap() {
        session.counts.withLock { $0.longestGap = 0 }
    }

    /// Ends the connection and waits for the thread.
    public func stop() {
        session.stops.store(true, ordering: .relaxed)
        session.socket.shutdown()
        thread.join()
    }
}

/// What the client and its thread share.
private final class Session: Sendable {
    let socket: StreamSocket
    let counts = Mutex(EchoClient.Counts())
    let stops = Atomic(false)

    /// Bytes of one record: its number, then bytes made of it.
    private static let recordSize = 64

    /// How long a record may take, in milliseconds, before the connection counts as lost.
    private static let patience = 20_000

    init(_ socket: consuming StreamSocket) {
        self.socket = socket
    }

    func run() {
        var last = MonotonicInstant.now
        var number: UInt64 = 0
        while !stops.load(ordering: .relaxed) {
            if let failure = exchange(number) {
                if !stops.load(ordering: .relaxed) {
                    counts.withLock { $0.failure = failure }
                }
                return
            }
            let now = MonotonicInstant.now
            let gap = now.nanoseconds(since: last)
            counts.withLock {
                $0.records += 1
                $0.longestGap = max($0.longestGap, gap)
            }
            last = now
            number += 1
        }
    }

    /// Sends one record and waits for it. Why it failed, or nil.
    private func exchange(_ number: UInt64) -> String? {
        let record = (0..<Self.recordSize).map { index in
            UInt8(truncatingIfNeeded: number &* 0x9e37_79b9_7f4a_7c15 >> UInt64(index % 57))
        }
        let deadline = MonotonicInstant.after(milliseconds: Self.patience)
        do throws(SystemError) {
            try socket.sendAll(record.span, deadline: deadline)
            var echo = [UInt8](repeating: 0, count: Self.recordSize)
            var room = echo.mutableSpan
            let count = try socket.receiveAll(into: &room, deadline: deadline)
            if count < Self.recordSize { return "the guest closed the connection" }
            return echo == record ? nil : "record \(number) came back changed"
        } catch {
            return error.description
        }
    }
}
