import Glibc
import GuestMemory
import LinuxSystem
import Machine

/// What a migration cannot be faster than: one thread sends a touched mapping over loopback TCP,
/// another one receives it into a touched mapping, and nothing else is done.
final class BarePump: Sendable {
    private let source: GuestRAM
    private let destination: GuestRAM

    /// Bytes that each call of the kernel is offered.
    private static let chunk = 1 << 20

    /// A pump for so many bytes, at most 3 GiB.
    init(byteCount: UInt64) throws {
        let layout = PhysicalLayout.regions(memorySize: byteCount)
        source = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        destination = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        try source.populate()
        try destination.populate()
    }

    /// Pumps all bytes once.
    func bytesPerSecond() throws -> Double {
        let listener = try StreamListener(addresses: SocketAddress.resolve("127.0.0.1:0"))
        let sending = try StreamSocket.connect(
            to: SocketAddress.resolve("127.0.0.1:\(try listener.address.port)"),
            deadline: .after(milliseconds: 5000))
        let receiving = try listener.accept(deadline: .after(milliseconds: 5000))
        // The listener's connections do not wait; a bare pump's do.
        try receiving.descriptor.setNonblocking(false)
        let start = MonotonicInstant.now
        let sender = Sender(socket: sending, memory: source)
        let thread = try WorkerThread(name: "pump") { _ in sender.run() }
        for region in destination.regions {
            try Self.forAllChunks(of: region.segment) { chunk in
                // SAFETY: inside the region, which lives as long as this object.
                unsafe recv(receiving.descriptor.rawValue, chunk.baseAddress, chunk.count, 0)
            }
        }
        let nanoseconds = MonotonicInstant.now.nanoseconds(since: start)
        thread.join()
        return Double(destination.byteCount) * 1e9 / Double(max(1, nanoseconds))
    }

    /// The sending half, with what its thread needs.
    private final class Sender: Sendable {
        private let socket: StreamSocket
        private let memory: GuestRAM

        init(socket: consuming StreamSocket, memory: GuestRAM) {
            self.socket = socket
            self.memory = memory
        }

        /// A failure ends the connection, which the receiving half reports.
        func run() {
            for region in memory.regions {
                try? BarePump.forAllChunks(of: region.segment) { chunk in
                    // SAFETY: inside the region, which lives as long as this object.
                    unsafe send(
                        socket.descriptor.rawValue, chunk.baseAddress, chunk.count,
                        Int32(MSG_NOSIGNAL))
                }
            }
            socket.shutdown()
        }
    }

    /// Goes through a segment as far as each call gets.
    private static func forAllChunks(
        of segment: MemorySegment, _ transfer: (MemorySegment) -> Int
    ) throws(BenchmarkError) {
        var done = 0
        while done < segment.count {
            guard
                let rest = segment.part(
                    offset: done, length: min(chunk, segment.count - done))
            else { return }
            let moved = transfer(rest)
            guard moved > 0 else { throw .unexpected("The pump's connection ended") }
            done += moved
        }
    }
}
