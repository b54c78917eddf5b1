import ControlAPI
import Glibc
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// What `martlet run` says when it cannot do what it is asked for: one line which names the
    /// object, and an exit status that is not 0.
    @Suite struct BadInputTests {
        private func guest() throws -> String { try #require(Prerequisites.guest) }

        /// A file of zeros, or with these contents.
        private func file(
            _ name: String, in lab: Lab, size: Int = 0, _ contents: [UInt8] = []
        ) throws -> String {
            let file = try OwnedDescriptor(opening: lab.path(name), [.write, .create])
            if contents.isEmpty { try file.truncate(to: size) } else { try file.writeAll(contents) }
            return lab.path(name)
        }

        // MARK: Kernel and initramfs

        @Test func kernelThatIsNone() throws {
            let lab = try Lab()
            let text = try file("text", in: lab, Array("This is no kernel.\n".utf8))

            expectFailure(
                try lab.martlet("run", "--kernel", text),
                naming: text, "neither an ELF file nor a bzImage")
            expectFailure(
                try lab.martlet("run", "--kernel", lab.path("nothing")),
                naming: lab.path("nothing"), "ENOENT")
            expectFailure(try lab.martlet("run", "--kernel", "/tmp"), naming: "/tmp")
        }

        @Test func mistypedKernelIsNoMissingOne() throws {
            let lab = try Lab()

            let mistyped = try lab.martlet("run", "--kernle", "/tmp/kernel")
            #expect(mistyped.status == .exited(64))
            #expect(mistyped.errors.contains("Unknown option '--kernle'"), "\(mistyped.errors)")
            let empty = try lab.martlet("run")
            #expect(empty.status == .exited(64))
            #expect(empty.errors.contains("nothing to run"), "\(empty.errors)")
        }

        @Test(arguments: [16, 100, 5000])
        func kernelThatIsCutShort(size: Int) throws {
            let lab = try Lab()
            let whole = try OwnedDescriptor(opening: guest()).readAll(maximum: 1 << 20)
            let cut = try file("cut", in: lab, Array(whole.prefix(size)))

            expectFailure(try lab.martlet("run", "--kernel", cut), naming: cut)
        }

        @Test func initramfsThatDoesNotFitOrIsMissing() throws {
            let lab = try Lab()
            let large = try file("large", in: lab, size: 64 << 20)

            expectFailure(
                try lab.martlet(
                    "run", "--kernel", guest(), "--memory", "size=32M", "--initramfs", large),
                naming: large, "more memory")
            expectFailure(
                try lab.martlet("run", "--kernel", guest(), "--initramfs", lab.path("none")),
                naming: lab.path("none"), "ENOENT")
        }

        // MARK: Disks and taps

        @Test func diskThatIsMissing() throws {
            let lab = try Lab()
            let path = lab.path("disk")

            expectFailure(
                try lab.martlet("run", "--kernel", guest(), "--disk", "path=\(path)"),
                naming: path, "ENOENT")
        }

        @Test func diskThatAnotherVMMHasLocked() async throws {
            let flight = try await Flight(GuestPlan(hasDisk: true), in: Lab())
            let path = flight.lab.path("disk")

            for options in ["path=\(path)", "path=\(path),readonly=on"] {
                expectFailure(
                    try flight.lab.martlet("run", "--kernel", guest(), "--disk", options),
                    naming: path, "lock")
            }
            try await flight.expectWork()
        }

        @Test(.needsNetwork) func diskThatCannotBeWritten() throws {
            let lab = try Lab()
            _ = try file("disk", in: lab, size: 1 << 20)
            // The file system is read-only for this process: modes do not hold root back.
            let mount =
                "mount --bind \(lab.path("")) /mnt && mount -o remount,ro,bind /mnt && exec "
            let command = "\(try #require(Prerequisites.executable)) run --kernel \(try guest())"

            expectFailure(
                try lab.run(
                    "/usr/bin/unshare",
                    ["--mount", "sh", "-c", "\(mount)\(command) --disk path=/mnt/disk"]),
                naming: "/mnt/disk", "readonly=on")
        }

        @Test(.needsNetwork) func tapThatIsBusy() async throws {
            let flight = try await Flight(GuestPlan(hasNetwork: true), in: Lab())

            expectFailure(
                try flight.lab.martlet(
                    "run", "--kernel", guest(), "--net", "tap=\(LabNetwork.tapName)"),
                naming: LabNetwork.tapName, "EBUSY")
            try await flight.expectWork()
        }

        // MARK: The host

        @Test(.needsNetwork) func kvmThatMayNotBeUsed() throws {
            let lab = try Lab()
            // A device that nobody may open, in a mount namespace, for a user who is not root.
            _ = try file("kvm", in: lab)
            let hide = "chmod 000 \(lab.path("kvm")) && mount --bind \(lab.path("kvm")) /dev/kvm"
            let drop = "exec setpriv --reuid 65534 --regid 65534 --clear-groups"
            // Copied to where that user can read it.
            let copy = "cp \(try #require(Prerequisites.executable)) /mnt/martlet"
            let command = "/mnt/martlet run --kernel /dev/null"

            let run = try lab.run(
                "/usr/bin/unshare",
                [
                    "--mount", "sh", "-c",
                    "mount -t tmpfs none /mnt && \(copy) && \(hide) && \(drop) \(command)",
                ])
            expectFailure(run, naming: "/dev/kvm", "EACCES")
        }

        @Test func hugePagesThatThereAreNot() throws {
            let lab = try Lab()

            expectFailure(
                try lab.martlet(
                    "run", "--kernel", guest(), "--memory", "size=512G,hugepages=on"),
                naming: "huge pages")
        }

        // MARK: Sockets

        @Test func apiSocketThatIsInUseOrStale() throws {
            let lab = try Lab()
            let first = try lab.start("vmm")
            let socket = first.client.path

            expectFailure(try lab.martlet("run", "--api-socket", socket), naming: socket)
            _ = try first.client.ping()
            first.process.signal(SIGKILL)
            _ = try first.process.wait(deadline: .after(milliseconds: 120_000))
            // What a dead process has left is replaced.
            let second = try lab.start("vmm")
            #expect(try second.client.ping().pid == Int64(second.process.identifier))
        }

        @Test(.needsNetwork) func plainTCPBeyondTheHostIsRefused() async throws {
            let flight = try await Flight(in: Lab())
            let receiver = try flight.startNext()

            let reasons = refusal(500) { () throws(APIClientError) in
                try receiver.client.receiveMigration(
                    ReceiveMigrationData(receiverURL: "tcp:192.168.77.1:4444"),
                    deadline: APIClient.usual)
            }
            #expect(reasons.contains("--allow-plain-tcp"), "\(reasons)")
            try flight.vmm.client.sendMigration(
                SendMigrationData(destinationURL: "tcp:192.168.77.1:4444"))
            let result = try await flight.vmm.migrationResult()
            #expect(result.outcome == .failed)
            #expect(result.errors.first?.contains("--allow-plain-tcp") == true)
            try await flight.expectWork()
        }

        // MARK: Words

        @Test(arguments: [
            (["run"], "--kernel"), (["run", "--cpus", "boot=2"], "--kernel"),
            (["run", "--kernel", "k", "--disk", "paht=x"], "paht"),
            (["run", "--kernel", "k", "--memory", "size=12345"], "size"),
            (["fly"], "fly"), (["ctl", "ping"], "--api-socket"),
        ])
        func wrongWordsAreNamed(arguments: [String], name: String) throws {
            let lab = try Lab()
            let run = try lab.run(try #require(Prerequisites.executable), arguments)

            #expect(run.status == .exited(64) || run.status == .exited(1))
            #expect(run.errors.contains(name), "\(run.errors)")
        }
    }
}
