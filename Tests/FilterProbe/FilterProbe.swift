import CLinux
import Confinement
import Glibc
import LinuxSystem

/// Puts itself under filters as the VMM does, makes one system call on a thread of some kind, and
/// says what it returned; if it lives that long. Its log is standard error.
///
///     FilterProbe true|false|log KIND CALL
@main
struct FilterProbe {
    static func main() throws {
        let words = CommandLine.arguments
        guard words.count == 4, let mode = FilterMode(rawValue: words[1]),
            let kind = ThreadKind(rawValue: words[2]), let call = ProbedCall(rawValue: words[3])
        else { exit(64) }
        let log = SharedDescriptor(try StandardStream.error.duplicate())
        let output = SharedDescriptor(try StandardStream.output.duplicate())
        let disk = SharedDescriptor(
            try MemoryFile(name: "disk", size: 1 << 20).descriptor.duplicate())
        try Confinement.begin(mode, log: log, since: .now)
        let probe = { @Sendable in
            let result = call.make(disk)
            try? output.descriptor.writeAll(Array("\(call) returned \(result)\n".utf8))
        }
        switch kind {
        case .control: probe()
        default: try WorkerThread(name: "probe", kind: kind) { _ in probe() }.join()
        }
    }
}

/// What can be tried.
enum ProbedCall: String {
    /// What every thread does.
    case ordinary
    /// Threads that give much memory back, each from its own part of the heap, and more of them than
    /// there are such parts.
    case manyThreads
    case open
    case socket
    case packetSocket
    case execute
    case startThread
    case threadWithoutKind
    case code
    case kill
    case setUser
    case newNetwork
    case runProcessor
    case makeMachine
    case setTerminalSize
    /// Giving space of an image back.
    case discard

    /// Makes the call.
    ///
    /// - Parameter disk: a file that is open, of 1 MiB.
    /// - Returns: 0, or the error's number.
    func make(_ disk: SharedDescriptor) -> Int32 {
        switch self {
        case .discard:
            do throws(SystemError) {
                try disk.descriptor.discard(offset: 0, count: 4096)
                try disk.descriptor.zero(offset: 0, count: 4096, givingBackSpace: true)
                return 0
            } catch {
                return error.errno.rawValue
            }
        case .ordinary: return ordinaryWork()
        case .manyThreads: return manyThreads()
        // SAFETY: the path is a terminated string for the length of the call.
        case .open: return result(unsafe Glibc.open("/dev/null", O_RDONLY))
        case .socket: return result(Glibc.socket(AF_INET, CLINUX_STREAM_SOCKET, 0))
        case .packetSocket: return result(Glibc.socket(AF_PACKET, CLINUX_STREAM_SOCKET, 0))
        case .execute:
            var end: UnsafeMutablePointer<CChar>?
            // SAFETY: the list of arguments is only its end.
            return result(unsafe execv("/bin/true", &end))
        case .startThread:
            var thread = pthread_t()
            // SAFETY: the thread takes no argument.
            return unsafe pthread_create(&thread, nil, { _ in nil }, nil)
        case .threadWithoutKind:
            do throws(SystemError) {
                try WorkerThread(name: "stray") { _ in }.join()
                return 0
            } catch {
                return error.errno.rawValue
            }
        case .code:
            // SAFETY: nothing is placed over other memory.
            let page = unsafe mmap(
                nil, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            return unsafe page == MAP_FAILED ? errno : 0
        case .kill: return result(Glibc.kill(1, 0))
        case .setUser: return result(setuid(getuid()))
        case .newNetwork: return -clinux_unshare_network()
        case .runProcessor: return -clinux_ioctl_value(-1, CLINUX_KVM_RUN, 0)
        case .makeMachine: return -clinux_ioctl_value(-1, CLINUX_KVM_CREATE_VM, 0)
        case .setTerminalSize: return -clinux_ioctl_value(-1, UInt(TIOCSWINSZ), 0)
        }
    }

    private func manyThreads() -> Int32 {
        do throws(SystemError) {
            let event = try EventDescriptor(name: "probe")
            var threads: [WorkerThread] = []
            for _ in 0..<100 {
                threads.append(
                    try WorkerThread(name: "other", kind: .throttle) { stop in
                        var pieces = (0..<16).map { [UInt8](repeating: $0, count: 100 << 10) }
                        while !pieces.isEmpty { pieces.removeLast() }
                        event.signal()
                        try? stop.wait()
                    })
            }
            var count: UInt64 = 0
            while count < 100 {
                try event.wait()
                count += event.drain()
            }
            return 0
        } catch {
            return error.errno.rawValue
        }
    }

    private func result(_ value: Int32) -> Int32 { value < 0 ? errno : 0 }

    /// Memory, locks, time, random bytes, events, and making another thread.
    private func ordinaryWork() -> Int32 {
        do throws(SystemError) {
            let event = try EventDescriptor(name: "probe")
            let bytes = [UInt8](repeating: 1, count: 1 << 22)
            MonotonicInstant.after(milliseconds: 1).sleep()
            let thread = try WorkerThread(name: "other", kind: .throttle) { _ in
                // Of another size, so that another arena of the allocator grows.
                if [UInt8](repeating: 2, count: 1 << 20).count > 0 { event.signal() }
            }
            try event.wait()
            thread.join()
            return bytes.allSatisfy { $0 == 1 } ? 0 : EIO
        } catch {
            return error.errno.rawValue
        }
    }
}
