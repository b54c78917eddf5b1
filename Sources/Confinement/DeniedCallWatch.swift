internal import CLinux
import LinuxSystem
import Synchronization

/// Tells of the calls that filters would deny, and lets them pass: what `--seccomp log` is. The
/// kernel's own log is not for everybody to read, and drops what comes too fast.
///
/// Its thread has no filter. A thread that makes such a call stands still until that was told.
final class DeniedCallWatch: Sendable {
    private static let arrivalToken = UInt64.max

    private let poller: Poller
    private let arrival: EventDescriptor
    private let arrived = Mutex<[Watched]>([])

    /// A thread that is watched.
    private struct Watched: Sendable {
        let calls: SharedDescriptor
        let name: String
        let kind: ThreadKind
    }

    /// Starts to watch, on a thread of its own, for the rest of the process's life.
    static func start() throws(SystemError) -> DeniedCallWatch {
        let watch = try DeniedCallWatch()
        try WorkerThread(name: "filter-log") { _ in watch.run() }.detach()
        return watch
    }

    private init() throws(SystemError) {
        poller = try Poller()
        arrival = try EventDescriptor(name: "filtered threads")
        try poller.add(arrival.descriptor, for: .readable, token: Self.arrivalToken)
    }

    /// Puts the calling thread under a filter and watches it.
    func install(
        _ program: FilterProgram, _ kind: ThreadKind, named name: String
    ) throws(SystemError) {
        let calls = SharedDescriptor(try program.installWatched())
        // From here on the thread would wait for ever at a call that its filter does not know:
        // what follows makes only those that all filters allow.
        arrived.withLock { $0.append(Watched(calls: calls, name: name, kind: kind)) }
        arrival.signal()
    }

    private func run() {
        var threads: [UInt64: Watched] = [:]
        var lastToken: UInt64 = 0
        while true {
            _ = try? poller.wait { token, readiness in
                guard token != Self.arrivalToken else {
                    arrival.drain()
                    return
                }
                guard let thread = threads[token] else { return }
                if readiness.contains(.readable) {
                    pass(thread)
                } else {
                    // The thread has ended.
                    threads[token] = nil
                }
            }
            let news = arrived.withLock { arrived in
                defer { arrived = [] }
                return arrived
            }
            for thread in news {
                lastToken += 1
                threads[lastToken] = thread
                try? poller.add(thread.calls.descriptor, for: .readable, token: lastToken)
            }
        }
    }

    private func pass(_ thread: Watched) {
        let number = ThreadKind.allCases.firstIndex(of: thread.kind) ?? 0
        // A thread that was interrupted makes its call again: then there is none to let pass.
        // SAFETY: both are terminated strings for the length of the call.
        _ = unsafe clinux_pass_watched_call(
            thread.calls.descriptor.rawValue, thread.name, thread.kind.rawValue, UInt32(number))
    }
}
