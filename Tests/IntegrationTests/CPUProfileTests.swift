import ControlAPI
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// What the processors of guests are, and destinations that cannot offer it.
    @Suite struct CPUProfileTests {
        @Test func guestWithABaselineMovesByTwoRoutes() async throws {
            let plan = GuestPlan(processors: 2, profile: "x86-64-v1", memory: "size=64M")
            let flight = try await Flight(plan, in: Lab())
            #expect(try flight.vmm.client.info().config.cpus.profile == .level1)
            try await flight.move(by: .unix)
            try await flight.move(by: .local)
            #expect(try flight.vmm.client.info().config.cpus.profile == .level1)
            try await flight.end()
        }

        /// The description claims features that only one kind of processor ever had (Knights
        /// Mill), and address bits that hardly any has: the destination must say so before any
        /// memory is sent and before the guest is paused.
        /// Number 34 in docs/comparison.md: only CPUID is compared there.
        @Test func destinationNamesWhatItLacksAndTheGuestGoesOn() async throws {
            let lab = try Lab()
            let flight = try await Flight(GuestPlan(memory: "size=64M"), in: lab)
            let destination = try flight.startNext()
            let reception = try destination.receive(at: "unix:\(lab.path("door"))")
            let wire = try Interceptor(
                at: lab.path("wire"), before: lab.path("door"), holding: .request(.memory),
                rewriteConfig: claimingMore)
            defer { wire.close() }

            let send = try lab.martlet(
                "ctl", "send-migration", "--api-socket", flight.vmm.client.path,
                "destination_url=unix:\(lab.path("wire"))")
            #expect(send.status == .exited(1))
            let refusal = #expect(throws: HarnessError.self) { try reception.wait() }
            let result = try await flight.vmm.migrationResult()
            #expect(result.outcome == .failed)
            let sayings = [
                send.output, result.errors.joined(separator: "\n"), flight.vmm.log,
                destination.log, refusal?.description ?? "",
            ]
            for (place, text) in sayings.enumerated() {
                for name in ["avx512_4vnniw", "avx512_4fmaps", "52 bits of physical address"] {
                    #expect(text.contains(name), "\(name) in \(place): \(text)")
                }
            }
            #expect(!wire.hasReached, "memory was sent")
            #expect(!flight.vmm.log.contains("paused"))
            #expect(try flight.vmm.client.info().state == .running)
            try await flight.expectWork()
        }

        @Test func profileThatThisHostCannotOfferIsRefused() throws {
            let lab = try Lab()
            let list = try lab.martlet("cpu", "list")
            #expect(list.status == .exited(0))
            #expect(list.output.contains("host       yes"))
            #expect(list.output.contains("x86-64-v1"))
            #expect(try lab.martlet("cpu", "check", "x86-64-v7").status == .exited(64))

            for profile in ["x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v4"] {
                let line = try #require(
                    list.output.split(separator: "\n").first { $0.hasPrefix(profile) })
                let check = try lab.martlet("cpu", "check", profile)
                guard let missing = line.split(separator: "no, lacks ").dropFirst().first else {
                    #expect(check.status == .exited(0))
                    continue
                }
                #expect(check.status == .exited(1))
                let run = try lab.martlet(
                    "run", "--kernel", try #require(Prerequisites.guest), "--cpus",
                    "profile=\(profile)")
                #expect(run.status == .exited(1))
                for text in [check.errors, run.errors] {
                    #expect(text.contains(profile) && text.contains(missing), "\(text)")
                }
            }
        }
    }
}

/// Adds to what a guest was told of its processors: what nobody has, in Config.
private func claimingMore(_ bytes: [UInt8]) -> [UInt8] {
    guard var payload = try? ConfigPayload(decoding: bytes) else { return bytes }
    for position in payload.processorFeatures.indices {
        switch payload.processorFeatures[position].function {
        case 7 where payload.processorFeatures[position].index == 0:
            payload.processorFeatures[position].edx |= 1 << 2 | 1 << 3
        case 0x8000_0008:
            payload.processorFeatures[position].eax &= ~0xff
            payload.processorFeatures[position].eax |= 52
        default: break
        }
    }
    return (try? payload.encoded()) ?? bytes
}
