import ControlAPI
import Glibc
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// Deaths during a local migration, where both ends have the same pages. The moments are spread
    /// over the few milliseconds that it takes; whichever step is hit, the rules must hold.
    @Suite struct LocalFaultTests {
        /// Microseconds from the request to the kill.
        static let delays = [0, 1500, 3000, 5000, 8000, 12000, 18000, 30000]

        @Test(arguments: delays)
        func destinationDies(delay: Int) async throws {
            let flight = try await Flight(in: Lab())
            let destination = try flight.startNext()
            let source = flight.vmm
            let url = Route.local.url(in: flight.lab)
            let reception = try destination.receive(at: url)
            try source.client.sendMigration(Route.local.request(to: url))
            MonotonicInstant.now.advanced(byNanoseconds: UInt64(delay) * 1000).sleep()
            destination.process.signal(SIGKILL)
            _ = try? reception.wait()

            switch try await ending(of: source) {
            case .stayed:
                // The flag was clear: not one instruction ran at the destination.
                #expect(try source.client.info().state == .running)
                try await flight.expectWork()
                try await flight.move(by: .local)
            case .left:
                // It ran at the destination, and died with it.
                #expect(source.process.exitStatus == .exited(0))
                try await flight.expectStandstill()
            case .lost:
                #expect(source.process.exitStatus == .exited(1))
                #expect(source.log.contains("ran at the destination"))
                try await flight.expectStandstill()
            }
        }

        @Test(arguments: delays)
        func sourceDies(delay: Int) async throws {
            let flight = try await Flight(in: Lab())
            let destination = try flight.startNext()
            let url = Route.local.url(in: flight.lab)
            let reception = try destination.receive(at: url)
            try flight.vmm.client.sendMigration(Route.local.request(to: url))
            MonotonicInstant.now.advanced(byNanoseconds: UInt64(delay) * 1000).sleep()
            flight.vmm.process.signal(SIGKILL)

            // The call ends either way: the destination notices the death at once.
            let hasArrived = (try? reception.wait()) != nil
            flight.isNow(at: destination)
            if hasArrived {
                #expect(try destination.client.info().state == .running)
                try await flight.expectWork()
            } else {
                refusal(404) { () throws(APIClientError) in _ = try destination.client.info() }
                try await flight.expectStandstill()
            }
        }

        private enum Ending {
            case stayed, left, lost
        }

        private func ending(of source: MartletProcess) async throws -> Ending {
            var ending: Ending?
            try await eventually("the end of the migration\n\(source.log)") {
                if let status = source.process.exitStatus {
                    ending = status == .exited(0) ? .left : .lost
                } else if let result = try? source.client.migrationProgress().result {
                    switch result.outcome {
                    case .failed: ending = .stayed
                    case .completed, .cancelled, .inDoubt: break
                    }
                }
                return ending != nil
            }
            guard let ending else { throw NeverCame(description: "no end") }
            return ending
        }
    }
}
