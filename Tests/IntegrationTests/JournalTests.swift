import ControlAPI
import Glibc
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

/// `martlet journal` and VMMs with damaged journals.
@Suite(.needsExecutable) struct JournalCommandTests {
    @Test func whatIsNoJournalIsRefusedByName() throws {
        let lab = try Lab()
        let absent = try lab.martlet("journal", "show", lab.path("absent"))
        #expect(absent.status == .exited(1))
        #expect(absent.errors.contains("absent"))

        let path = lab.path("noise")
        try OwnedDescriptor(opening: path, [.write, .create]).writeAll(Array("a\nb\n".utf8))
        let damaged = try lab.martlet("journal", "show", path)
        #expect(damaged.status == .exited(1))
        #expect(damaged.errors.contains("Line 1"))
        let run = try lab.martlet("run", "--ownership-journal", path, "--api-socket", lab.path("a"))
        #expect(run.status == .exited(1))
        #expect(run.errors.contains(path))

        let folder = try lab.martlet(
            "run", "--ownership-journal", lab.path("no/where"), "--api-socket", lab.path("a"))
        #expect(folder.status == .exited(1))
        #expect(folder.errors.contains("no/where"))
    }
}

extension GuestTests {
    /// The ownership journal, from outside.
    @Suite struct JournalTests {
        @Test func bothEndsTellWhereTheGuestWent() async throws {
            let lab = try Lab()
            let (first, second) = (lab.path("first"), lab.path("second"))
            var plan = GuestPlan()
            plan.options = ["--ownership-journal", first]
            let flight = try await Flight(plan, in: lab)
            let destination = try flight.startNext(["--ownership-journal", second])
            let url = "unix:\(lab.path("door"))"
            let taken = try lab.martlet(
                "run", "--ownership-journal", second, "--api-socket", lab.path("third"))
            #expect(taken.errors.contains("belongs to another VMM"))

            let reception = try destination.receive(at: url)
            try flight.vmm.client.sendMigration(SendMigrationData(destinationURL: url))
            #expect(try await flight.vmm.migrationResult().outcome == .completed)
            try reception.wait()
            try await flight.left(for: destination)
            try await flight.expectWork()

            let source = try lab.martlet("journal", "show", first)
            #expect(source.status == .exited(0), "\(source.output)")
            let there = try lab.martlet("journal", "show", second)
            #expect(there.status == .exited(0), "\(there.output)")
            for word in ["offered", "giving-away", "gave-away", "the guest is the destination's"] {
                #expect(source.output.contains(word), "\(source.output)")
            }
            for word in ["receiving", "taking-over", "took-over", "the guest came here"] {
                #expect(there.output.contains(word), "\(there.output)")
            }
        }

        /// A VMM that dies between its decision and the answer leaves a doubt, of which the next one
        /// with its journal warns.
        @Test func aSourceThatDiesInDoubtLeavesItInItsJournal() async throws {
            let folder = try TemporaryFolder(prefix: "martlet-journal")
            let path = folder.path + "/journal"
            var plan = GuestPlan(memory: "size=64M")
            plan.options = ["--ownership-journal", path]
            let scene = try await Scene(at: .request(.takeover), plan)
            let lab = scene.flight.lab
            scene.source.process.signal(SIGKILL)
            _ = try scene.source.process.wait(deadline: .after(milliseconds: 120_000))

            let shown = try lab.martlet("journal", "show", path)
            #expect(shown.status == .exited(2), "\(shown.output)")
            #expect(shown.output.contains("the destination may run it"), "\(shown.output)")
            let next = try lab.start("next", ["--ownership-journal", path])
            try await eventually("a warning") { next.log.contains("look at the other end") }
        }
    }
}
