import Confinement
import Harness
import LinuxSystem
import Testing

/// What the kernel does with the filters, in processes which may end by it.
@Suite struct EnforcementTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder(prefix: "martlet-filters")
    }

    /// Runs the probe, which SwiftPM puts beside the tests.
    private func probe(_ mode: String, _ kind: ThreadKind, _ call: String) throws -> CommandRun {
        let place = try SymbolicLink.target(of: "/proc/self/exe").split(separator: "/").dropLast()
            .joined(separator: "/")
        return try CommandRun(
            path: "/\(place)/FilterProbe", arguments: [mode, kind.rawValue, call],
            folder: folder.path, deadline: .after(milliseconds: 120_000))
    }

    private static let kinds = ThreadKind.allCases.filter { $0 != .starter }

    @Test(arguments: kinds)
    func deniedCallEndsTheProcessAndIsNamed(kind: ThreadKind) throws {
        let run = try probe("true", kind, "execute")

        #expect(run.status == .exited(Confinement.deniedStatus))
        let name = kind == .control ? "martlet" : "probe"
        #expect(run.errors.contains(" critical: The thread \(name) (filter \(kind.rawValue))"))
        #expect(run.errors.contains(" execve (59) "))
        #expect(run.output.isEmpty)
    }

    @Test(arguments: kinds)
    func ordinaryWorkIsAllowed(kind: ThreadKind) throws {
        // Threads which are given nothing new make no events.
        guard ![.api, .disk, .net, .console, .entropy, .throttle, .digest, .mapper].contains(kind)
        else {
            return
        }
        let run = try probe("true", kind, "ordinary")

        #expect(run.output == "ordinary returned 0\n", "\(run.errors)")
        #expect(run.status == .exited(0))
    }

    @Test(arguments: [
        (ThreadKind.vcpu, "open", "openat"), (.vcpu, "socket", "socket"),
        (.disk, "open", "openat"), (.net, "makeMachine", "ioctl"), (.devices, "socket", "socket"),
        (.api, "open", "openat"), (.receiver, "open", "openat"),
        (.control, "packetSocket", "socket"),
        (.source, "runProcessor", "ioctl"), (.control, "setTerminalSize", "ioctl"),
        (.source, "makeMachine", "ioctl"),
        (.destination, "code", "mmap"), (.destination, "kill", "kill"),
        (.sender, "setUser", "setuid"), (.control, "newNetwork", "unshare"),
    ])
    func whatItsWorkNeedsNotIsDenied(kind: ThreadKind, call: String, name: String) throws {
        let run = try probe("true", kind, call)

        #expect(run.status == .exited(Confinement.deniedStatus), "\(run.output)")
        #expect(run.errors.contains(": \(name)"))
    }

    @Test(arguments: [
        (ThreadKind.control, "open", 0), (.control, "socket", 0), (.control, "manyThreads", 0),
        (.control, "makeMachine", 9),
        (.vcpu, "runProcessor", 9), (.destination, "makeMachine", 9), (.sender, "socket", 0),
        (.disk, "discard", 0),
    ])
    func whatItsWorkNeedsIsAllowed(kind: ThreadKind, call: String, result: Int) throws {
        let run = try probe("true", kind, call)

        #expect(run.output == "\(call) returned \(result)\n", "\(run.errors)")
        #expect(run.status == .exited(0))
    }

    /// glibc blocks all signals while it makes a thread, so that nobody can report this.
    @Test(arguments: [ThreadKind.control, .vcpu])
    func threadThatTheStarterDoesNotMakeEndsTheProcess(kind: ThreadKind) throws {
        #expect(try probe("true", kind, "startThread").status == .signalled(31))
    }

    @Test func threadOfNoKindIsRefused() throws {
        // EPERM
        #expect(
            try probe("true", .control, "threadWithoutKind").output
                == "threadWithoutKind returned 1\n")
        #expect(
            try probe("false", .control, "threadWithoutKind").output
                == "threadWithoutKind returned 0\n")
    }

    @Test func withoutFiltersNothingIsDenied() throws {
        let run = try probe("false", .vcpu, "open")

        #expect(run.output == "open returned 0\n")
        #expect(run.errors.isEmpty)
    }

    @Test(arguments: kinds)
    func loggedCallIsToldAndMade(kind: ThreadKind) throws {
        // EBADF, from the kernel.
        let run = try probe("log", kind, "setTerminalSize")

        #expect(run.output == "setTerminalSize returned 9\n")
        #expect(run.status == .exited(0))
        let name = kind == .control ? "martlet" : "probe"
        #expect(run.errors.contains(" warning: The thread \(name) (filter \(kind.rawValue))"))
        #expect(run.errors.contains(": ioctl (16) with 0xffffffff, 0x5414, 0x0\n"))
    }

    @Test func workThatIsAllowedIsNotTold() throws {
        let run = try probe("log", .vcpu, "ordinary")

        #expect(run.output == "ordinary returned 0\n")
        #expect(run.errors.isEmpty)
    }
}
