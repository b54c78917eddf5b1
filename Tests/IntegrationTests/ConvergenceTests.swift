import ControlAPI
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    /// Guests that write faster than their memory can be sent: all of it is written again while
    /// one request is on a slow wire, and there is more than a blackout of the goal has room for.
    @Suite struct ConvergenceTests {
        private static let plan = GuestPlan(memoryWork: "size:64M,rate:max")
        private static let memoryDelay = 100

        /// Where the source sends to, and the request that does not converge by itself.
        private func request(in lab: Lab) -> SendMigrationData {
            var request = SendMigrationData(destinationURL: "unix:\(lab.path("wire"))")
            request.downtimeMilliseconds = 1
            return request
        }

        @Test func cancelledAtEitherEndTheGuestStaysAndCanMoveAgain() async throws {
            let lab = try Lab()
            let flight = try await Flight(Self.plan, in: lab)
            let destination = try flight.startNext()
            let wire = try Interceptor(
                at: lab.path("wire"), before: lab.path("door"), memoryDelay: Self.memoryDelay)
            defer { wire.close() }

            for cancelsAtSource in [true, false] {
                let reception = try destination.receive(at: "unix:\(lab.path("door"))")
                try flight.vmm.client.sendMigration(request(in: lab))
                try await eventually("the third round") {
                    try flight.vmm.client.migrationProgress().iteration >= 3
                }
                let end = cancelsAtSource ? flight.vmm : destination
                try end.client.perform(.cancelMigration)

                #expect(try await flight.vmm.migrationResult().outcome == .cancelled)
                #expect(throws: HarnessError.self) { try reception.wait() }
                #expect(try await destination.migrationResult().outcome == .cancelled)
                refusal(404) { () throws(APIClientError) in _ = try destination.client.info() }
                #expect(try flight.vmm.client.info().state == .running)
                try await flight.expectWork()
            }
            refusal(500) { () throws(APIClientError) in
                try flight.vmm.client.perform(.cancelMigration)
            }
            try await flight.move(by: .local)
        }

        @Test func timeoutCancelsOrMovesTheRestAsAsked() async throws {
            let lab = try Lab()
            let flight = try await Flight(Self.plan, in: lab)
            let destination = try flight.startNext()
            let wire = try Interceptor(
                at: lab.path("wire"), before: lab.path("door"), memoryDelay: Self.memoryDelay)
            defer { wire.close() }
            var request = request(in: lab)
            let refused = try destination.receive(at: "unix:\(lab.path("door"))")
            try flight.vmm.client.sendMigration(request)
            // How long the first pass takes is the machine's; only after it the guest can be too
            // fast.
            try await eventually("the third round") {
                try flight.vmm.client.migrationProgress().iteration >= 3
            }
            var change = SetMigrationData()
            change.timeoutSeconds = 1
            try flight.vmm.client.setMigrationOptions(change)

            let result = try await flight.vmm.migrationResult()
            #expect(result.outcome == .failed)
            #expect(
                result.errors.first?.contains("did not converge within 1 s") == true,
                "\(result.errors)")
            #expect(throws: HarnessError.self) { try refused.wait() }
            try await flight.expectWork()

            request.timeoutStrategy = .ignore
            request.timeoutSeconds = 1
            let reception = try destination.receive(at: "unix:\(lab.path("door"))")
            try flight.vmm.client.sendMigration(request)
            #expect(try await flight.vmm.migrationResult().outcome == .completed)
            try reception.wait()
            try await flight.left(for: destination)
            try await flight.expectWork()
        }

        /// A guest that would have moved stays until somebody says so, and can be changed meanwhile.
        @Test func heldGuestMovesWhenItIsTold() async throws {
            let lab = try Lab()
            let flight = try await Flight(GuestPlan(memoryWork: "size:8M,rate:2000"), in: lab)
            let destination = try flight.startNext()
            let reception = try destination.receive(at: "unix:\(lab.path("door"))")
            var request = SendMigrationData(destinationURL: "unix:\(lab.path("door"))")
            request.holdsBeforeSwitchover = true
            request.bandwidth = 1 << 30
            try flight.vmm.client.sendMigration(request)

            try await eventually("the hold") { try flight.vmm.client.migrationProgress().isHolding }
            let held = try flight.vmm.client.migrationProgress()
            try await eventually("two more rounds") {
                try flight.vmm.client.migrationProgress().iteration >= held.iteration + 2
            }
            try await flight.expectWork()
            #expect(try flight.vmm.client.migrationProgress().isHolding)
            var change = SetMigrationData()
            change.downtimeMilliseconds = 1000
            change.bandwidth = 0
            try flight.vmm.client.setMigrationOptions(change)
            refusal(500) { () throws(APIClientError) in
                try destination.client.perform(.continueMigration)
            }
            try flight.vmm.client.perform(.continueMigration)

            let result = try await flight.vmm.migrationResult()
            #expect(result.outcome == .completed)
            #expect(result.predictedBlackoutMilliseconds ?? 0 > 0)
            try reception.wait()
            try await flight.left(for: destination)
            try await flight.expectWork()
        }
    }
}
