import Glibc
import GuestMemory
import LinuxSystem
import Synchronization

/// What a migration cannot be faster than: threads that send a touched mapping over loopback TCP,
/// each its own part over a connection of its own, as many that receive into a touched mapping,
/// and nothing else.
final class BarePump: Sendable {
    private let memory: MemoryPair
    private let hasFailed = Atomic(false)

    /// Bytes that each call of the kernel is offered.
    private static let chunk = 1 << 20

    /// A pump from one end of the pair to the other.
    init(_ memory: MemoryPair) {
        self.memory = memory
    }

    /// Pumps all bytes once, over as many connections.
    func bytesPerSecond(over connections: Int = 1) throws -> Double {
        let listener = try StreamListener(addresses: SocketAddress.resolve("127.0.0.1:0"))
        let address = try SocketAddress.resolve("127.0.0.1:\(try listener.address.port)")
        var lines: [Line] = []
        for index in 0..<connections {
            let sending = try StreamSocket.connect(
                to: address, deadline: .after(milliseconds: 5000))
            let receiving = try listener.accept(deadline: .after(milliseconds: 5000))
            // The listener's connections do not wait; a bare pump's do.
            try receiving.descriptor.setNonblocking(false)
            lines.append(
                Line(
                    sending: sending, receiving: receiving,
                    source: share(index, of: connections, in: memory.source),
                    destination: share(index, of: connections, in: memory.destination)))
        }
        let start = MonotonicInstant.now
        var threads: [WorkerThread] = []
        for line in lines {
            threads.append(try WorkerThread(name: "drain") { [self] _ in note(line.receive()) })
            threads.append(try WorkerThread(name: "pump") { [self] _ in note(line.send()) })
        }
        for thread in threads { thread.join() }
        let nanoseconds = MonotonicInstant.now.nanoseconds(since: start)
        guard !hasFailed.load(ordering: .relaxed) else {
            throw BenchmarkError.unexpected("The pump's connection ended")
        }
        return Double(memory.byteCount) * 1e9 / Double(max(1, nanoseconds))
    }

    /// What one of the connections carries: its part of each region.
    private func share(_ index: Int, of count: Int, in memory: GuestRAM) -> [MemorySegment] {
        memory.regions.compactMap { region in
            let length = region.segment.count / count
            return region.segment.part(offset: index * length, length: length)
        }
    }

    private func note(_ isDone: Bool) {
        if !isDone { hasFailed.store(true, ordering: .relaxed) }
    }

    /// One connection, with what its two threads need.
    private final class Line: Sendable {
        private let sending: StreamSocket
        private let receiving: StreamSocket
        private let source: [MemorySegment]
        private let destination: [MemorySegment]

        init(
            sending: consuming StreamSocket, receiving: consuming StreamSocket,
            source: [MemorySegment], destination: [MemorySegment]
        ) {
            self.sending = sending
            self.receiving = receiving
            self.source = source
            self.destination = destination
        }

        /// Whether everything was sent.
        func send() -> Bool {
            defer { sending.shutdown() }
            return Self.forAllChunks(of: source) { chunk in
                // SAFETY: inside a region, which lives as long as the pump.
                unsafe Glibc.send(
                    sending.descriptor.rawValue, chunk.baseAddress, chunk.count,
                    Int32(MSG_NOSIGNAL))
            }
        }

        /// Whether everything was received.
        func receive() -> Bool {
            Self.forAllChunks(of: destination) { chunk in
                // SAFETY: inside a region, which lives as long as the pump.
                unsafe recv(receiving.descriptor.rawValue, chunk.baseAddress, chunk.count, 0)
            }
        }

        /// Goes through segments as far as each call gets.
        private static func forAllChunks(
            of segments: [MemorySegment], _ transfer: (MemorySegment) -> Int
        ) -> Bool {
            for segment in segments {
                var done = 0
                while done < segment.count {
                    guard
                        let rest = segment.part(
                            offset: done, length: min(chunk, segment.count - done))
                    else { return false }
                    let moved = transfer(rest)
                    guard moved > 0 else { return false }
                    done += moved
                }
            }
            return true
        }
    }
}
