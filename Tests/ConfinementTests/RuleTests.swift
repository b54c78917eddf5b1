import CSeccomp
import LinuxSystem
import Testing

@testable import Confinement

/// What the programs of all kinds decide, without the kernel.
@Suite struct RuleTests {
    private static let process: Int32 = 4711
    private static let allowed: UInt32 = 0x7fff_0000

    private func filter(_ kind: ThreadKind, _ denied: DeniedCalls = .trapped) throws -> PacketFilter
    {
        PacketFilter(
            program: try FilterProgram(
                kind.rules(of: Self.process), denied: denied, name: kind.rawValue))
    }

    private func number(_ name: String) throws -> Int32 {
        let number = unsafe seccomp_syscall_resolve_name(name)
        try #require(number >= 0, "\(name) is no system call")
        return number
    }

    @Test(arguments: ThreadKind.allCases)
    func programAllowsItsRulesAndNothingElse(kind: ThreadKind) throws {
        let filter = try filter(kind)
        let rules = kind.rules(of: Self.process)
        for rule in rules {
            var arguments = [UInt64](repeating: 0, count: 6)
            for condition in rule.conditions {
                arguments[Int(condition.argument)] = condition.value
            }
            let wanted = rule.outcome == .allowed ? Self.allowed : 0x0005_0000 | 38
            #expect(
                filter.outcome(of: try number(rule.name), arguments) == wanted, "\(rule)")
        }
        let names = Set(try rules.map { try number($0.name) })
        for number in 0..<Int32(512) where !names.contains(number) {
            #expect(filter.outcome(of: number) == DeniedCalls.trapped.kernelOutcome, "\(number)")
        }
    }

    @Test(arguments: ThreadKind.allCases)
    func nobodyMayDoWhatNoVMMNeeds(kind: ThreadKind) throws {
        let filter = try filter(kind)
        for name in [
            "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv",
            "process_vm_writev", "kill", "tkill", "setuid", "setns", "unshare", "mount", "chroot",
            "bpf", "init_module", "keyctl", "perf_event_open", "io_uring_setup", "pidfd_getfd",
        ] {
            #expect(
                filter.outcome(of: try number(name)) == DeniedCalls.trapped.kernelOutcome, "\(name)"
            )
        }
    }

    /// The starter leaves requests to the filters of the threads that it makes.
    @Test(arguments: ThreadKind.allCases.filter { $0 != .starter })
    func requestsAreCompared(kind: ThreadKind) throws {
        let filter = try filter(kind)
        // TIOCSTI types for the user of a terminal; a request has 32 bits, whatever is above them.
        for request: UInt64 in [0x5412, 0x1_0000_5412] {
            #expect(
                filter.outcome(of: try number("ioctl"), [0, request])
                    == DeniedCalls.trapped.kernelOutcome)
        }
        // KVM_RUN
        let runs = [ThreadKind.control, .vcpu, .destination].contains(kind)
        for request: UInt64 in [0xae80, 0x1_0000_ae80] {
            let outcome = filter.outcome(of: try number("ioctl"), [0, request])
            #expect((outcome == Self.allowed) == runs)
        }
    }

    @Test(arguments: ThreadKind.allCases)
    func memoryIsNoCode(kind: ThreadKind) throws {
        let filter = try filter(kind)
        let anonymous: UInt64 = 0x22
        for protection: UInt64 in [4, 5, 7] {
            #expect(
                filter.outcome(of: try number("mmap"), [0, 4096, protection, anonymous])
                    != Self.allowed)
            #expect(
                filter.outcome(of: try number("mprotect"), [0, 4096, protection]) != Self.allowed)
        }
        #expect(filter.outcome(of: try number("mmap"), [0, 4096, 3, anonymous]) == Self.allowed)
    }

    @Test(arguments: ThreadKind.allCases)
    func onlyTheStarterMakesThreadsAndOnlyThreads(kind: ThreadKind) throws {
        let filter = try filter(kind)
        let ofThread = filter.outcome(of: try number("clone"), [0x3d0f00])
        #expect((ofThread == Self.allowed) == (kind == .starter))
        // A process: CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID and SIGCHLD, as `fork` does.
        #expect(filter.outcome(of: try number("clone"), [0x0120_0011]) != Self.allowed)
        #expect(filter.outcome(of: try number("clone3")) != Self.allowed)
    }

    @Test(arguments: ThreadKind.allCases)
    func signalsGoToThisProcessOnly(kind: ThreadKind) throws {
        let filter = try filter(kind)
        #expect(filter.outcome(of: try number("tgkill"), [4711]) == Self.allowed)
        #expect(filter.outcome(of: try number("tgkill"), [1]) != Self.allowed)
    }

    /// What a guest can make a thread do by breaking it must not reach files and peers.
    @Test(arguments: [
        ThreadKind.vcpu, .disk, .net, .console, .entropy, .throttle, .devices, .digest, .receiver,
    ])
    func threadsThatServeTheGuestOpenNothing(kind: ThreadKind) throws {
        let filter = try filter(kind)
        for name in ["openat", "open", "openat2", "connect", "socket", "bind", "unlink", "rename"] {
            #expect(filter.outcome(of: try number(name), [1]) != Self.allowed, "\(name)")
        }
    }

    @Test func threadsThatAreMadeMayDoAllThatTheirOwnFiltersAllow() throws {
        let starter = try filter(.starter)
        for kind in ThreadKind.allCases where kind != .control {
            for rule in kind.rules(of: Self.process) {
                var arguments = [UInt64](repeating: 0, count: 6)
                for condition in rule.conditions {
                    arguments[Int(condition.argument)] = condition.value
                }
                let outcome = starter.outcome(of: try number(rule.name), arguments)
                #expect(outcome != DeniedCalls.trapped.kernelOutcome, "\(kind): \(rule)")
            }
        }
    }

    @Test func watchedCallsWait() throws {
        #expect(try filter(.disk, .watched).outcome(of: try number("execve")) == 0x7fc0_0000)
    }

    @Test func unknownCallIsNamed() throws {
        let rules = [SystemCallRule(name: "no_such_call")]
        let error = #expect(throws: SystemError.self) {
            try FilterProgram(rules, denied: .trapped, name: "odd")
        }
        #expect(error?.description.contains("no_such_call") == true)
    }
}
