import ControlAPI
import Testing

extension GuestTests {
    @Suite struct MoveTests {
        @Test(.needsNetwork, arguments: [1, 2])
        func guestUnderLoadMovesByEveryRoute(processors: Int) async throws {
            let flight = try await Flight(
                GuestPlan(processors: processors, hasDisk: true, hasNetwork: false), in: Lab())

            for route in Route.allCases {
                let result = try await flight.move(by: route)
                #expect((result.bytesSent > 0) == (route != .local))
            }
            try await flight.end()
        }

        @Test(.needsNetwork)
        func tenMovesInARow() async throws {
            let plan = GuestPlan(processors: 2, hasDisk: true, hasNetwork: false)
            let flight = try await Flight(plan, in: Lab())

            for number in 0..<10 {
                try await flight.move(by: number.isMultiple(of: 2) ? .tcp : .local)
            }
            try await flight.end()
        }
    }
}
