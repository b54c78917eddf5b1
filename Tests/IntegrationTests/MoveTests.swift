import ControlAPI
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

extension GuestTests {
    @Suite struct MoveTests {
        @Test(.needsNetwork, arguments: [1, 2])
        func guestUnderLoadMovesByEveryRoute(processors: Int) async throws {
            let flight = try await Flight(
                GuestPlan(processors: processors, hasDisk: true, hasNetwork: true), in: Lab())

            for route in Route.allCases {
                let result = try await flight.move(by: route)
                #expect((result.bytesSent > 0) == (route != .local))
            }
            try await flight.end()
        }

        @Test(.needsNetwork)
        func tenMovesInARow() async throws {
            let plan = GuestPlan(processors: 2, hasDisk: true, hasNetwork: true)
            let flight = try await Flight(plan, in: Lab())

            for number in 0..<10 {
                try await flight.move(by: number.isMultiple(of: 2) ? .tcp : .local)
            }
            try await flight.end()
        }

        /// Half of the stamps are above 4 GiB: the part of the second vCPU.
        @Test func guestWithMoreThan3GiBMoves() async throws {
            let flight = try await Flight(
                GuestPlan(processors: 2, memory: "size=3500M"), in: Lab())

            try await flight.move(by: .unix)
            try await flight.move(by: .local)
        }

        @Test func guestWithPrivateMemoryMovesByCopyOnly() async throws {
            let flight = try await Flight(GuestPlan(memory: "size=128M,shared=off"), in: Lab())
            let local = Route.local.request(to: "unix:\(flight.lab.path("local"))")

            let reasons = refusal(400) { () throws(APIClientError) in
                try flight.vmm.client.sendMigration(local)
            }
            #expect(reasons.contains("private") && reasons.contains("shared=on"))
            try await flight.move(by: .unix)
        }

        @Test(.needsHugePages) func guestInHugePagesMoves() async throws {
            // 64 pages for each VMM that has the guest, and as many for the one that gets it.
            let pool = try HugePagePool(pages: 128)
            defer { pool.restore() }
            let flight = try await Flight(GuestPlan(memory: "size=128M,hugepages=on"), in: Lab())

            try await flight.move(by: .unix)
            try await flight.move(by: .local)
            try await flight.end()
        }

        @Test(arguments: [Route.unix, .local])
        func pausedGuestArrivesPaused(route: Route) async throws {
            let flight = try await Flight(GuestPlan(hasDisk: true), in: Lab())
            try flight.vmm.client.perform(.pause)

            try await flight.transfer(by: route)
            #expect(try flight.vmm.client.info().state == .paused)
            try await flight.expectStandstill()
            try flight.vmm.client.perform(.resume)
            try await flight.expectWork()
        }
    }
}
