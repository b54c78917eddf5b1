import ControlAPI
import Glibc
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// The API of a real process: what each call does in each state.
    @Suite struct APITests {
        private static let all = Set(Endpoint.allCases)
        private static let always: Set<Endpoint> = [
            .ping, .migrationProgress, .migrationTimeline, .metrics,
        ]
        /// Calls that need a migration.
        private static let duringMigrations: Set<Endpoint> = [
            .cancelMigration, .resolveMigration, .setMigrationOptions, .continueMigration,
        ]

        /// Calls with a body that is in order.
        private func call(_ endpoint: Endpoint, _ vmm: MartletProcess, _ lab: Lab)
            throws(APIClientError)
        {
            switch endpoint {
            case .create:
                try vmm.client.create(config(lab))
            case .sendMigration:
                try vmm.client.sendMigration(
                    SendMigrationData(destinationURL: "unix:\(lab.path("nobody"))"))
            case .receiveMigration:
                try vmm.client.receiveMigration(
                    ReceiveMigrationData(receiverURL: "unix:\(lab.path("door"))"),
                    deadline: APIClient.usual)
            case .addDisk:
                var disk = DiskConfig()
                disk.path = lab.path("no-disk")
                _ = try vmm.client.addDisk(disk)
            case .addNet:
                _ = try vmm.client.addNet(NetConfig())
            case .removeDevice:
                try vmm.client.removeDevice("_disk0")
            case .resizeDisk:
                try vmm.client.resizeDisk(ResizeDiskData(id: "_disk0", desiredSize: 1 << 20))
            case .resolveMigration:
                try vmm.client.resolveMigration(ResolveMigrationData(owner: .source))
            case .setMigrationOptions:
                var change = SetMigrationData()
                change.downtimeMilliseconds = 300
                try vmm.client.setMigrationOptions(change)
            case .ping, .shutdownVMM, .boot, .pause, .resume, .info, .counters, .shutdown, .delete,
                .reboot, .powerButton, .nmi, .migrationProgress, .migrationTimeline, .metrics,
                .continueMigration,
                .cancelMigration:
                try vmm.client.perform(endpoint)
            }
        }

        private func config(_ lab: Lab) -> VmConfig {
            var config = VmConfig()
            var payload = PayloadConfig()
            payload.kernel = Prerequisites.guest
            payload.cmdline = "memory=size:8M report=50"
            config.payload = payload
            config.console.mode = .off
            config.serial.mode = .file
            config.serial.file = lab.path("serial")
            return config
        }

        private func expectRefusals(
            _ refused: [Int: Set<Endpoint>], _ vmm: MartletProcess, _ lab: Lab
        ) {
            for (status, endpoints) in refused {
                for endpoint in endpoints {
                    let reasons = refusal(status) { () throws(APIClientError) in
                        try call(endpoint, vmm, lab)
                    }
                    #expect(!reasons.isEmpty, "\(endpoint)")
                }
            }
        }

        @Test func eachStateHasItsCalls() async throws {
            let lab = try Lab()
            let vmm = try lab.start("vmm")
            let client = vmm.client

            // No guest.
            let guestCalls = Self.all.subtracting(Self.always)
                .subtracting([.shutdownVMM, .create, .receiveMigration])
                .subtracting(Self.duringMigrations)
            expectRefusals([404: guestCalls, 500: Self.duringMigrations], vmm, lab)
            #expect(try client.ping().pid == Int64(vmm.process.identifier))
            #expect(try client.migrationProgress().phase == "none")

            // Created.
            try client.create(config(lab))
            #expect(try client.info().state == .created)
            #expect(try client.info().config == config(lab))
            expectRefusals(
                [
                    404: [
                        .pause, .resume, .counters, .shutdown, .reboot, .sendMigration,
                        .resizeDisk, .powerButton, .nmi, .removeDevice,
                    ],
                    500: Self.duringMigrations.union([.create, .receiveMigration]),
                ], vmm, lab)

            // Running.
            try client.perform(.boot)
            let running = Self.duringMigrations.union([.create, .boot, .receiveMigration])
            expectRefusals([500: running.union([.resume])], vmm, lab)
            #expect(try client.info().state == .running)
            #expect(try client.info().memoryActualSize == 512 << 20)

            // Paused.
            try client.perform(.pause)
            expectRefusals([500: running.union([.pause])], vmm, lab)
            #expect(try client.info().state == .paused)
            try client.perform(.resume)

            // Booted anew, shut down, and booted again.
            var serial = try SerialLog(path: lab.path("serial"))
            try client.perform(.reboot)
            try client.perform(.shutdown)
            #expect(try client.info().state == .created)
            try client.perform(.boot)
            var boots = 0
            try await eventually("the last of the guest's boots") {
                boots += try serial.newLines().count { $0.kind == .boot }
                return boots >= 1
            }

            // Deleted while it runs.
            try client.perform(.delete)
            refusal(404) { () throws(APIClientError) in _ = try client.info() }
            try client.perform(.shutdownVMM)
            try await eventually("the end") { vmm.process.exitStatus != nil }
            #expect(vmm.process.exitStatus == .exited(0))
        }

        @Test(arguments: [
            ("{", 400, "JSON"), ("[]", 400, ""), ("", 400, "body"),
            (#"{"payload": {"kernel": "k"}, "cpus": {"boot_vcpus": 0}}"#, 400, "boot_vcpus"),
            (#"{"payload": {"kernel": "k"}, "memory": {"size": -1}}"#, 400, "memory.size"),
            (#"{"payload": {"kernel": "k"}, "disks": [{"paht": "d"}]}"#, 400, "disks[0].paht"),
            (#"{"payload": {"kernel": "k"}, "watchdog": true}"#, 400, "watchdog"),
            (
                #"{"payload": {"kernel": "k"}, "disks": [{"path": "a", "id": "x"}, "#
                    + #"{"path": "b", "id": "x"}]}"#, 409, "x"
            ),
        ])
        func badConfigurationIsRefusedByName(body: String, status: Int, name: String) throws {
            let lab = try Lab()
            let vmm = try lab.start("vmm")

            let reasons = refusal(status) { () throws(APIClientError) in
                _ = try vmm.client.call(
                    .create, body: Array(body.utf8), deadline: APIClient.usual)
            }
            #expect(reasons.contains(name), "\(reasons)")
            refusal(404) { () throws(APIClientError) in _ = try vmm.client.info() }
        }

        @Test func otherBadRequestsAreRefused() throws {
            let lab = try Lab()
            let vmm = try lab.start("vmm")

            refusal(400) { () throws(APIClientError) in
                _ = try vmm.client.call(.boot, body: [0x7b, 0x7d], deadline: APIClient.usual)
            }
            for body in ["{}", #"{"destination_url": "ftp:x"}"#, #"{"receiver_url": 5}"#] {
                refusal(400) { () throws(APIClientError) in
                    _ = try vmm.client.call(
                        .receiveMigration, body: Array(body.utf8), deadline: APIClient.usual)
                }
            }
            #expect(try status(of: "GET /api/v1/vm.boot", vmm) == "400")
            #expect(try status(of: "PUT /api/v1/vm.fly", vmm) == "404")
            #expect(try status(of: "PUT /api/v1/vm.snapshot", vmm) == "404")
            #expect(try status(of: "nonsense", vmm) == "400")
            _ = try vmm.client.ping()
        }

        /// The status that a request without body is answered with.
        private func status(of line: String, _ vmm: MartletProcess) throws -> String {
            let deadline = MonotonicInstant.after(milliseconds: 120_000)
            let socket = try StreamSocket.connect(path: vmm.client.path, deadline: deadline)
            let request = Array("\(line) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".utf8)
            try socket.sendAll(request.span, deadline: deadline)
            // "HTTP/1.1 404"
            var answer = [UInt8](repeating: 0, count: 12)
            var span = answer.mutableSpan
            _ = try socket.receiveAll(into: &span, deadline: deadline)
            return String(decoding: answer.suffix(3), as: UTF8.self)
        }

        /// Number 5 in docs/comparison.md: a destination that waits answers no request there.
        @Test func receivingBlocksNoOtherCall() async throws {
            let lab = try Lab()
            let vmm = try lab.start("vmm")
            let other = try lab.start("other")
            let url = "unix:\(lab.path("door"))"
            let reception = try vmm.receive(at: url)

            #expect(try vmm.client.migrationProgress().phase == "listening")
            let refused = Self.all.subtracting(Self.always).subtracting([.cancelMigration])
            expectRefusals([500: refused], vmm, lab)
            // Another VMM at the same door.
            let reasons = refusal(500) { () throws(APIClientError) in
                try other.client.receiveMigration(
                    ReceiveMigrationData(receiverURL: url), deadline: APIClient.usual)
            }
            #expect(reasons.contains(lab.path("door")), "\(reasons)")

            try vmm.client.perform(.cancelMigration)
            #expect(throws: HarnessError.self) { try reception.wait() }
            // Now the door is free.
            let again = try other.receive(at: url)
            try other.client.perform(.cancelMigration)
            #expect(throws: HarnessError.self) { try again.wait() }
        }

        /// Each call is either known to change nothing of the guest, or is refused at both ends.
        @Test func callsDuringAMigrationAreRefusedOrAnswered() async throws {
            let scene = try await Scene(at: .request(.state))
            defer { scene.end() }
            for (vmm, phase) in [(scene.source, "source"), (scene.destination, "destination")] {
                for endpoint in Self.all.subtracting(Self.always) {
                    switch endpoint {
                    case .info, .counters, .cancelMigration, .ping, .migrationProgress,
                        .migrationTimeline, .metrics:
                        continue
                    // Those are the source's, and change nothing of the guest.
                    case .setMigrationOptions, .continueMigration:
                        guard vmm === scene.destination else { continue }
                        refusal(500) { () throws(APIClientError) in
                            try call(endpoint, vmm, scene.flight.lab)
                        }
                    // The nearer reason is that there is a guest already, or no doubt.
                    case .create, .receiveMigration, .resolveMigration:
                        refusal(500) { () throws(APIClientError) in
                            try call(endpoint, vmm, scene.flight.lab)
                        }
                    case .shutdownVMM, .boot, .pause, .resume, .shutdown, .delete, .reboot,
                        .addDisk, .addNet, .removeDevice, .resizeDisk, .powerButton, .nmi,
                        .sendMigration:
                        let reasons = refusal(500) { () throws(APIClientError) in
                            try call(endpoint, vmm, scene.flight.lab)
                        }
                        #expect(reasons.contains("VM is migrating"), "\(endpoint), \(phase)")
                    }
                }
            }
            _ = try scene.source.client.counters()

            try scene.source.client.perform(.cancelMigration)
            #expect(try await scene.source.migrationResult().outcome == .cancelled)
            try await scene.flight.expectWork()
        }

        @Test func guestsThatEndOrResetThemselves() async throws {
            let lab = try Lab()
            let kernel = try #require(Prerequisites.guest)
            let ends = try lab.start("ends", ["--kernel", kernel, "--cmdline", "run=1"])
            let resets = try lab.start(
                "resets",
                [
                    "--kernel", kernel, "--cmdline", "run=1 reset", "--serial",
                    "file=\(lab.path("serial"))",
                ])

            try await eventually("the end of the guest") { ends.process.exitStatus != nil }
            #expect(ends.process.exitStatus == .exited(0))
            var serial = try SerialLog(path: lab.path("serial"))
            var boots = 0
            try await eventually("the guest's second boot") {
                boots += try serial.newLines().count { $0.kind == .boot }
                return boots >= 2
            }
            #expect(try resets.client.info().state == .running)
            resets.process.signal(SIGTERM)
            try await eventually("the end of the VMM") { resets.process.exitStatus != nil }
            #expect(resets.process.exitStatus == .exited(0))
        }

        @Test func devicesCountWhatTheyDo() async throws {
            let flight = try await Flight(GuestPlan(hasDisk: true), in: Lab())

            let counters = try flight.vmm.client.counters()
            let disk = try #require(counters["_disk0"])
            for counter in ["read_bytes", "write_bytes", "read_ops", "write_ops"] {
                #expect(try #require(disk[counter]) > 0, "\(counter)")
            }
        }
    }
}
