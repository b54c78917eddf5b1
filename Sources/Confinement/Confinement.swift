internal import CLinux
internal import CSeccomp
import Glibc
public import LinuxSystem

/// Whether the threads of a VMM have filters of system calls.
public enum FilterMode: String, CaseIterable, Sendable {
    /// A denied call is reported and ends the process.
    case enforced = "true"
    /// There are no filters.
    case off = "false"
    /// A call that would be denied is reported and made.
    case logged = "log"
}

/// The filters of system calls (seccomp) of this process: one for each kind of thread.
public enum Confinement {
    /// What a process ends with after a denied call.
    public static let deniedStatus = CLINUX_DENIED_STATUS

    /// Puts the calling thread and all that start afterwards under the filters of their kinds, for
    /// ever. Call it on the process's first thread, of kind `control`, before there are others.
    ///
    /// Filters outlive `execve`. Whatever is to start other programs must be a process of its own,
    /// made before this is called.
    ///
    /// - Parameters:
    ///   - mode: what becomes of calls that a filter does not know.
    ///   - log: gets the line about a denied call; open as long as the process lives.
    ///   - start: when the log's clock began.
    /// - Throws: when the kernel has no filters; then none is in force.
    public static func begin(
        _ mode: FilterMode, log: SharedDescriptor, since start: MonotonicInstant
    ) throws(SystemError) {
        let denied: DeniedCalls
        switch mode {
        case .off: return
        case .enforced: denied = .trapped
        case .logged: denied = .watched
        }
        try checkKernel(for: denied)
        let programs = try FilterSet(denied)
        nameSystemCalls()
        try require(
            clinux_report_denied_calls(log.descriptor.rawValue, start.nanoseconds), "report")
        try require(clinux_keep_privileges(), "prepare")
        try require(clinux_settle_allocator(), "prepare")
        // A thread without filter, so it is made before there are any.
        let watch = mode == .logged ? try DeniedCallWatch.start() : nil
        let confine = { @Sendable (kind: ThreadKind, name: String) in
            describeThread(name, kind)
            do throws(SystemError) {
                try programs.install(for: kind, named: name, watch)
            } catch {
                // The kernel has no memory, or forbids it after all. A thread without its filter
                // must not run.
                try? log.descriptor.writeAll(Array("critical: thread \(name): \(error)\n".utf8))
                exit(1)
            }
        }
        try ThreadStarter.install(confine: confine)
        describeThread("martlet", .control)
        try programs.install(for: .control, named: "martlet", watch)
    }

    private static func checkKernel(for denied: DeniedCalls) throws(SystemError) {
        let result = clinux_seccomp_knows(denied.kernelOutcome)
        guard result >= 0 else {
            throw SystemError(
                "filter", "system calls", Errno(rawValue: -result),
                advice: "this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER), or what "
                    + "started this process forbids them; --seccomp false runs without")
        }
    }

    private static func require(_ result: Int32, _ operation: String) throws(SystemError) {
        guard result >= 0 else {
            throw SystemError(operation, "filters of system calls", Errno(rawValue: -result))
        }
    }

    private static func describeThread(_ name: String, _ kind: ThreadKind) {
        // SAFETY: both are terminated strings for the length of the call, and copied.
        unsafe clinux_describe_thread(name, kind.rawValue)
    }

    /// Gives the report its names, because libseccomp's function for that allocates.
    private static func nameSystemCalls() {
        for number in 0..<Int32(512) {
            // SAFETY: the library gives a string that is the caller's, or none.
            guard
                let name = unsafe seccomp_syscall_resolve_num_arch(
                    UInt32(SCMP_ARCH_NATIVE), number)
            else { continue }
            unsafe clinux_name_system_call(UInt32(number), name)
            unsafe free(name)
        }
    }
}

/// The filters of all kinds.
private struct FilterSet: Sendable {
    private let programs: [ThreadKind: FilterProgram]

    init(_ denied: DeniedCalls) throws(SystemError) {
        let process = ProcessDescriptor.currentProcess
        var programs: [ThreadKind: FilterProgram] = [:]
        for kind in ThreadKind.allCases {
            programs[kind] = try FilterProgram(
                kind.rules(of: process), denied: denied, name: kind.rawValue)
        }
        self.programs = programs
    }

    /// Puts the calling thread under its filter.
    func install(
        for kind: ThreadKind, named name: String, _ watch: DeniedCallWatch?
    ) throws(SystemError) {
        // All kinds are there.
        guard let program = programs[kind] else { return }
        switch watch {
        case nil:
            // What the starter denies its own filter of a thread denies, too; and that clone3 is
            // missing is no news.
            try program.install(notes: kind != .starter)
        case let watch?:
            // A thread can be watched through one of its filters only, and inherits the starter's.
            if kind != .starter { try watch.install(program, kind, named: name) }
        }
    }
}
