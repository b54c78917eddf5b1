import ControlAPI
import Glibc
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// Deaths without anything between the ends: in a local migration, where both have the same
    /// pages, and over TCP. The moments are spread over the milliseconds that it takes; whichever
    /// step is hit, the rules must hold.
    @Suite(.needsNetwork) struct SuddenDeathTests {
        /// Microseconds from the request to the kill.
        static let delays = [0, 2000, 4000, 7000, 12000, 20000, 40000]

        @Test(arguments: [Route.local, .tcp, .manyTCP], delays)
        func destinationDies(route: Route, delay: Int) async throws {
            let flight = try await Flight(in: Lab())
            let destination = try flight.startNext()
            let source = flight.vmm
            let url = route.url(in: flight.lab)
            let reception = try destination.receive(at: url)
            try source.client.sendMigration(route.request(to: url))
            MonotonicInstant.now.advanced(byNanoseconds: UInt64(delay) * 1000).sleep()
            destination.process.signal(SIGKILL)
            _ = try? reception.wait()

            switch try await ending(of: source) {
            case .stayed:
                // Not one instruction ran at the destination: the flag was clear, or Takeover not
                // sent.
                #expect(try source.client.info().state == .running)
                try await flight.expectWork()
                try await flight.move(by: .local)
            case .left:
                // It ran at the destination, and died with it.
                #expect(source.process.exitStatus == .exited(0))
                try await flight.expectStandstill()
            case .inDoubt:
                // Contents were copied, and the one who knows is dead.
                #expect(route == .tcp)
                try await flight.expectStandstill()
            case .lost:
                #expect(route == .local)
                #expect(source.process.exitStatus == .exited(1))
                #expect(source.log.contains("ran at the destination"))
                try await flight.expectStandstill()
            }
        }

        @Test(arguments: [Route.local, .tcp, .manyTCP], delays)
        func sourceDies(route: Route, delay: Int) async throws {
            let flight = try await Flight(in: Lab())
            let destination = try flight.startNext()
            let url = route.url(in: flight.lab)
            let reception = try destination.receive(at: url)
            try flight.vmm.client.sendMigration(route.request(to: url))
            MonotonicInstant.now.advanced(byNanoseconds: UInt64(delay) * 1000).sleep()
            flight.vmm.process.signal(SIGKILL)

            // The destination notices the death at once, unless the source had not connected yet.
            try await eventually("the end of the wait\n\(destination.log)") {
                let report = try destination.client.migrationProgress()
                if report.phase == "listening" {
                    try? destination.client.perform(.cancelMigration)
                }
                return report.result != nil
            }
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
            case stayed, left, lost, inDoubt
        }

        private func ending(of source: MartletProcess) async throws -> Ending {
            var ending: Ending?
            try await eventually("the end of the migration\n\(source.log)") {
                if let status = source.process.exitStatus {
                    ending = status == .exited(0) ? .left : .lost
                } else if let result = try? source.client.migrationProgress().result {
                    switch result.outcome {
                    case .failed: ending = .stayed
                    case .inDoubt: ending = .inDoubt
                    case .completed, .cancelled: break
                    }
                }
                return ending != nil
            }
            guard let ending else { throw NeverCame(description: "no end") }
            return ending
        }
    }
}
