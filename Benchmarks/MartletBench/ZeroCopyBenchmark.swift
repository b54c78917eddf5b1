import Glibc
import GuestMemory
import LinuxSystem
import Machine

/// Sending without a copy (`MSG_ZEROCOPY`) in relation to sending with one: the same thread, memory
/// and connection over loopback TCP, taking turns in one run.
///
/// It decides whether the engines should do it. The kernel says with each completion whether it
/// copied after all; remarks tell how often it did, and what a gigabyte cost in processor time.
///
/// Source: Documentation/networking/msg_zerocopy.rst of Linux.
struct ZeroCopyBenchmark {
    private static let byteCount: UInt64 = 1 << 30
    private static let rounds = 7

    func run(in lab: borrowing Lab) throws -> [Figure] {
        let layout = PhysicalLayout.regions(memorySize: Self.byteCount)
        let source = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        let destination = try GuestRAM(layout: layout, backing: .sharedFile(hugePages: nil))
        try source.populate()
        try destination.populate()
        var ratios: [Double] = []
        for _ in 0..<lab.repetitions(Self.rounds) {
            let plain = try Run(source, destination, isZeroCopy: false).measure()
            let zeroCopy = try Run(source, destination, isZeroCopy: true).measure()
            ratios.append(zeroCopy.bytesPerSecond / plain.bytesPerSecond)
            lab.note(
                "zero-copy: \(decimal(zeroCopy.bytesPerSecond / 1e9)) GB/s and "
                    + "\(decimal(zeroCopy.processorSeconds)) s of processors per GB with, "
                    + "\(decimal(plain.bytesPerSecond / 1e9)) GB/s and "
                    + "\(decimal(plain.processorSeconds)) s without; the kernel copied "
                    + "\(zeroCopy.copied) of \(zeroCopy.completed) after all")
        }
        return [Figure("zero_copy_to_copy", ratios, "ratio", .atLeast(1.1))]
    }

    /// What one pass over the memory showed.
    private struct Result {
        var bytesPerSecond: Double
        var processorSeconds: Double
        var completed = 0
        var copied = 0
    }

    /// One pass over the memory.
    private final class Run: Sendable {
        private let source: GuestRAM
        private let destination: GuestRAM
        private let isZeroCopy: Bool
        private let sending: StreamSocket
        private let receiving: StreamSocket

        private static let chunk = 1 << 20

        init(_ source: GuestRAM, _ destination: GuestRAM, isZeroCopy: Bool) throws {
            self.source = source
            self.destination = destination
            self.isZeroCopy = isZeroCopy
            let listener = try StreamListener(addresses: SocketAddress.resolve("127.0.0.1:0"))
            sending = try StreamSocket.connect(
                to: SocketAddress.resolve("127.0.0.1:\(try listener.address.port)"),
                deadline: .after(milliseconds: 5000))
            receiving = try listener.accept(deadline: .after(milliseconds: 5000))
            try receiving.descriptor.setNonblocking(false)
            try sending.descriptor.setNonblocking(false)
            var on: Int32 = 1
            // SAFETY: the kernel reads the local within the call.
            let result = unsafe setsockopt(
                sending.descriptor.rawValue, SOL_SOCKET, Self.zeroCopyOption, &on,
                socklen_t(MemoryLayout<Int32>.size))
            guard !isZeroCopy || result == 0 else {
                throw BenchmarkError.unexpected("This kernel does not know SO_ZEROCOPY")
            }
        }

        /// `SO_ZEROCOPY` and `MSG_ZEROCOPY` of <linux/socket.h>, which Swift's view lacks.
        private static let zeroCopyOption: Int32 = 60
        private static let zeroCopyFlag: Int32 = 0x400_0000

        func measure() throws -> Result {
            let before = Self.processorSeconds
            let start = MonotonicInstant.now
            let receiver = try WorkerThread(name: "pump") { [self] _ in receive() }
            var result = Result(bytesPerSecond: 0, processorSeconds: 0)
            var sent = 0
            for region in source.regions {
                var offset = 0
                let segment = region.segment
                while let rest = segment.part(
                    offset: offset, length: min(Self.chunk, segment.count - offset)), rest.count > 0
                {
                    // SAFETY: inside the region, which lives as long as this object.
                    let count = unsafe send(
                        sending.descriptor.rawValue, rest.baseAddress, rest.count,
                        Int32(MSG_NOSIGNAL) | (isZeroCopy ? Self.zeroCopyFlag : 0))
                    // Too many are on their way: completions make room.
                    if count < 0, errno == ENOBUFS {
                        takeCompletions(&result, atLeast: 1)
                        continue
                    }
                    guard count > 0 else {
                        throw BenchmarkError.unexpected("The pump's connection ended")
                    }
                    sent += 1
                    offset += count
                    if isZeroCopy { takeCompletions(&result, atLeast: 0) }
                }
            }
            if isZeroCopy { takeCompletions(&result, atLeast: sent - result.completed) }
            receiver.join()
            let nanoseconds = MonotonicInstant.now.nanoseconds(since: start)
            let bytes = Double(source.byteCount)
            result.bytesPerSecond = bytes * 1e9 / Double(max(1, nanoseconds))
            result.processorSeconds = (Self.processorSeconds - before) / bytes * 1e9
            return result
        }

        private func receive() {
            for region in destination.regions {
                let segment = region.segment
                var offset = 0
                while let rest = segment.part(
                    offset: offset, length: min(Self.chunk, segment.count - offset)), rest.count > 0
                {
                    // SAFETY: inside the region, which lives as long as this object.
                    let count = unsafe recv(
                        receiving.descriptor.rawValue, rest.baseAddress, rest.count, 0)
                    guard count > 0 else { return }
                    offset += count
                }
            }
        }

        /// Reads completions from the socket's queue of errors, and waits until there were so many.
        private func takeCompletions(_ result: inout Result, atLeast wanted: Int) {
            let target = result.completed + wanted
            while true {
                var control: [16 of UInt64] = .init(repeating: 0)
                var span = control.mutableSpan
                // SAFETY: the kernel writes into the local within the call; a completion is a
                // control message of 16 bytes of header and a `sock_extended_err`.
                let words = unsafe span.withUnsafeMutableBufferPointer { buffer in
                    var message = unsafe msghdr()
                    unsafe message.msg_control = UnsafeMutableRawPointer(buffer.baseAddress)
                    unsafe message.msg_controllen = buffer.count * MemoryLayout<UInt64>.size
                    let received = unsafe recvmsg(
                        sending.descriptor.rawValue, &message,
                        Int32(MSG_ERRQUEUE) | Int32(MSG_DONTWAIT))
                    return received >= 0
                }
                if words {
                    // ee_origin, ee_type, ee_code in bytes 4...6, then the first and the last of
                    // the sends that are completed.
                    let code = control[2] >> 48 & 0xFF
                    let first = control[3] & 0xFFFF_FFFF
                    let last = control[3] >> 32
                    let count = Int(last &- first) + 1
                    result.completed += count
                    if code & 1 != 0 { result.copied += count }
                    continue
                }
                guard result.completed < target else { return }
                var entry = pollfd(fd: sending.descriptor.rawValue, events: 0, revents: 0)
                // SAFETY: one entry on this frame.
                _ = unsafe poll(&entry, 1, 100)
            }
        }

        /// Seconds that all threads of this process had a processor.
        private static var processorSeconds: Double {
            var usage = rusage()
            // SAFETY: the kernel writes into the local within the call.
            _ = unsafe getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
            func seconds(_ time: timeval) -> Double {
                Double(time.tv_sec) + Double(time.tv_usec) / 1e6
            }
            return seconds(usage.ru_utime) + seconds(usage.ru_stime)
        }
    }
}
