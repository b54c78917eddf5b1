import ControlAPI
import Glibc
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// The filters of system calls in a real VMM. That they deny is `EnforcementTests`' matter; that
    /// they let all work pass, that of all others, which run with them.
    @Suite struct FilterTests {
        private static let plan = GuestPlan(hasDisk: true, hasNetwork: true)

        /// The lines `Seccomp` and `Seccomp_filters` of each thread, by its name (proc(5)).
        private func filters(of vmm: MartletProcess) throws -> [String: (mode: String, count: Int)]
        {
            let folder = "/proc/\(vmm.process.identifier)/task"
            guard let stream = unsafe opendir(folder) else { return [:] }
            defer { unsafe closedir(stream) }
            var threads: [String: (mode: String, count: Int)] = [:]
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                // A thread may have ended meanwhile.
                guard !name.hasPrefix("."),
                    let file = try? OwnedDescriptor(opening: "\(folder)/\(name)/status"),
                    let bytes = try? file.readAll(maximum: 1 << 16)
                else { continue }
                var fields: [String: String] = [:]
                for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
                    let words = line.split(separator: ":", maxSplits: 1)
                    fields[String(words[0])] = words.last.map { $0.filter { !$0.isWhitespace } }
                }
                threads[fields["Name"] ?? ""] = (
                    fields["Seccomp"] ?? "", fields["Seccomp_filters"].flatMap { Int($0) } ?? 0
                )
            }
            return threads
        }

        @Test(.needsNetwork) func everyThreadHasItsFilter() async throws {
            let flight = try await Flight(Self.plan, in: Lab())
            try await flight.move(by: .tcp)

            let threads = try filters(of: flight.vmm)

            for name in ["martlet", "starter", "api", "devices", "vcpu0", "__rng", "migrations"] {
                #expect(threads[name] != nil, "\(name) is not among \(threads.keys)")
            }
            for (name, thread) in threads {
                #expect(thread.mode == "2", "\(name)")
                // That of the starter, and their own.
                let isFirst = ["martlet", "starter"].contains(name)
                #expect(thread.count == (isFirst ? 1 : 2), "\(name)")
            }
            try await flight.end()
        }

        @Test(arguments: [("false", "0"), ("log", "2")])
        func filtersAreAsAskedFor(option: String, mode: String) async throws {
            var plan = GuestPlan()
            plan.options = ["--seccomp", option]
            let flight = try await Flight(plan, in: Lab())

            let threads = try filters(of: flight.vmm)
            for name in ["martlet", "api", "vcpu0"] {
                #expect(threads[name]?.mode == mode, "\(name)")
            }
            #expect(flight.vmm.log.contains("no system call is denied (--seccomp \(option))"))
            try await flight.move(by: .local)
            try await flight.end()
        }

        /// The C library looks names up with many more calls than it takes to connect.
        @Test(.needsNetwork) func namesOfHostsAreFound() async throws {
            let flight = try await Flight(Self.plan, in: Lab())
            let nowhere = SendMigrationData(destinationURL: "tcp:no-such-host.invalid:4444")

            try flight.vmm.client.sendMigration(nowhere)
            let failure = try await flight.vmm.migrationResult()

            #expect(failure.errors.joined().contains("no-such-host.invalid"), "\(failure.errors)")
            let destination = try flight.startNext()
            let reception = try destination.receive(at: "tcp:localhost:4444")
            var send = SendMigrationData(destinationURL: "tcp:localhost:4444")
            send.connections = 2
            try flight.vmm.client.sendMigration(send)
            let result = try await flight.vmm.migrationResult()
            try #require(result.outcome == .completed, "\(result.errors)")
            try reception.wait()
            try await flight.left(for: destination)
            try await flight.expectWork()
            try await flight.end()
        }

        @Test func valueThatIsNoneIsRefused() throws {
            let run = try Lab().martlet("run", "--api-socket", "/tmp/none", "--seccomp", "maybe")

            #expect(run.status == .exited(64))
            #expect(run.errors.contains("'maybe' is not one of true, false and log"))
        }
    }
}
