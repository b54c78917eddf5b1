import ControlAPI
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// Images that are no good, that have no room, and that get another size.
    @Suite struct ImageTests {
        private func kernel() throws -> String { try #require(Prerequisites.guest) }

        private func file(_ name: String, in lab: Lab, size: Int) throws -> String {
            try OwnedDescriptor(opening: lab.path(name), [.write, .create]).truncate(to: size)
            return lab.path(name)
        }

        private func size(_ path: String) throws -> Int {
            try OwnedDescriptor(opening: path).storageSize
        }

        // MARK: No images

        @Test func imagesThatAreNoneAreNamed() throws {
            let lab = try Lab()
            let cases = [
                (lab.path("missing"), "ENOENT"), ("/tmp", "no disk image"),
                ("/dev/null", "no disk image"),
                (try file("empty", in: lab, size: 0), "is empty"),
                (
                    try file("uneven", in: lab, size: 1_000_000),
                    "1000000 bytes, which is no multiple"
                ),
            ]
            let vmm = try lab.start("vmm", ["--kernel", try kernel()])

            for (path, words) in cases {
                for options in ["path=\(path)", "path=\(path),readonly=on"] {
                    expectFailure(
                        try lab.martlet("run", "--kernel", kernel(), "--disk", options),
                        naming: "_disk0: ", path, words)
                }
                var disk = DiskConfig()
                disk.path = path
                let reasons = refusal(500) { () throws(APIClientError) in
                    _ = try vmm.client.addDisk(disk)
                }
                #expect(reasons.contains(path) && reasons.contains(words), "\(reasons)")
            }
            #expect(try vmm.client.info().config.disks.isEmpty)
            #expect(try vmm.client.info().state == .running)
        }

        /// The advice in the error helps.
        @Test func roundedImageIsADisk() throws {
            let lab = try Lab()
            let path = try file("uneven", in: lab, size: 1_000_000)
            _ = try lab.run("/usr/bin/truncate", ["-s", "%512", path])

            #expect(try size(path) == 1_000_448)
            let vmm = try lab.start(
                "vmm", ["--kernel", try kernel(), "--disk", "path=\(path)"])
            #expect(try vmm.client.info().state == .running)
        }

        // MARK: No room

        /// The image has holes, and its file system no room to fill them.
        @Test(.needsNetwork) func fullFileSystemIsAnErrorForTheGuestOnly() async throws {
            let lab = try Lab()
            // The file system is in a mount namespace of the VMM, and ends with it.
            let start = """
                #!/bin/sh
                exec unshare --mount sh -c 'mount -t tmpfs -o size=1M none /mnt && \
                truncate -s 16M /mnt/disk && exec \(try #require(Prerequisites.executable)) "$@"' \
                sh "$@"
                """
            let script = lab.path("start")
            try OwnedDescriptor(opening: script, [.write, .create]).writeAll(Array(start.utf8))
            _ = try lab.run("/bin/chmod", ["+x", script])
            let vmm = try MartletProcess(
                executable: script, name: "vmm", folder: lab.path("."),
                arguments: [
                    "--kernel", try kernel(), "--disk", "path=/mnt/disk",
                    "--serial", "file=\(lab.path("serial"))",
                    "--cmdline", "report=50 disk=size:16M,rate:500",
                ])
            var serial = try SerialLog(path: lab.path("serial"))

            var error: GuestLine?
            try await eventually("an error of the disk\n\(vmm.log)") {
                for line in try serial.newLines() where line.kind == .error { error = line }
                return error != nil
            }
            #expect(error?.values["what"] == "disk_status")
            // VIRTIO_BLK_S_IOERR
            #expect(error?.count("found") == 1)
            #expect(vmm.log.contains("/mnt/disk") && vmm.log.contains("ENOSPC"), "\(vmm.log)")
            // What has room, or is only read, still works.
            var reads: UInt64?
            try await eventually("work of the disk after the error\n\(vmm.log)") {
                for line in try serial.newLines() where line.kind == .report {
                    let count = try #require(line.count("disk_reads"))
                    if let reads, count > reads { return true }
                    reads = reads ?? count
                }
                return false
            }
            #expect(try vmm.client.info().state == .running)
        }

        // MARK: Another size

        @Test func resizedDiskMovesWithTheGuest() async throws {
            let flight = try await Flight(
                GuestPlan(memory: "size=64M", hasDisk: true), in: Lab())
            let before = try flight.vmm.client.info()

            for (size, route) in [(48 << 20, Route.unix), (24 << 20, .local)] {
                try flight.vmm.client.resizeDisk(
                    ResizeDiskData(id: "_disk0", desiredSize: UInt64(size)))
                #expect(try self.size(flight.image) == size)
                #expect(try flight.vmm.client.info() == before)
                try await flight.expectWork()
                // The size is part of the guest: the destination compares it with the image.
                try await flight.move(by: route)
                #expect(try flight.vmm.client.info().config == before.config)
            }
            try flight.vmm.client.perform(.pause)
            try flight.vmm.client.resizeDisk(ResizeDiskData(id: "_disk0", desiredSize: 32 << 20))
            #expect(try size(flight.image) == 32 << 20)
            try flight.vmm.client.perform(.resume)
            try await flight.expectWork()
        }

        @Test func sizesThatCannotBeAreRefusedByName() async throws {
            let flight = try await Flight(
                GuestPlan(memory: "size=64M", hasDisk: true), in: Lab())
            let client = flight.vmm.client
            var fixed = DiskConfig()
            fixed.path = try file("fixed", in: flight.lab, size: 1 << 20)
            fixed.readonly = true
            fixed.id = "fixed"
            _ = try client.addDisk(fixed)

            for (id, size, status, words) in [
                ("nothing", 1 << 20, 404, "nothing"), ("__rng", 1 << 20, 400, "no disk"),
                ("fixed", 2 << 20, 400, "read-only"), ("_disk0", 0, 400, "multiple of 512"),
                ("_disk0", 1_000_000, 400, "multiple of 512"),
                ("_disk0", UInt64.max - 511, 400, "18446744073709551104"),
            ] as [(String, UInt64, Int, String)] {
                let reasons = refusal(status) { () throws(APIClientError) in
                    try client.resizeDisk(ResizeDiskData(id: id, desiredSize: size))
                }
                #expect(reasons.contains(id) && reasons.contains(words), "\(reasons)")
            }
            #expect(try size(fixed.path ?? "") == 1 << 20)
            #expect(try size(flight.image) == 32 << 20)
            try await flight.expectWork()
        }

        // MARK: Pages of 1 GiB

        @Test(
            .enabled(
                if: HugePageSize.oneGibibyte.freeCount != nil, "needs a pool of 1 GiB pages"))
        func tooFewPagesOf1GiBAreCounted() throws {
            let lab = try Lab()
            let free = try #require(HugePageSize.oneGibibyte.freeCount)

            expectFailure(
                try lab.martlet(
                    "run", "--kernel", kernel(), "--memory",
                    "size=\(free + 3)G,hugepages=on,hugepage_size=1G"),
                naming: "\(free + 3) pages are needed and \(free) are free", "1048576kB")
        }
    }
}
