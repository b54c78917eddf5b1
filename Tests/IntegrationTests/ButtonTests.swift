import ControlAPI
import Harness
import LinuxSystem
import Testing

extension GuestTests {
    /// The power button and the interrupt that cannot be masked.
    @Suite struct ButtonTests {
        private let plan = GuestPlan(memory: "size=64M", words: ["hotplug"])

        @Test func powerButtonReachesTheGuest() async throws {
            let flight = try await Flight(plan, in: Lab())
            try flight.vmm.client.perform(.powerButton)
            try await flight.expectCount("power_button", 1)
            try await flight.expectWork()
        }

        @Test(arguments: [Route.unix, .local])
        func pressOfAPausedGuestsButtonArrivesWithIt(route: Route) async throws {
            let flight = try await Flight(plan, in: Lab())
            try flight.vmm.client.perform(.pause)
            try flight.vmm.client.perform(.powerButton)
            try await flight.transfer(by: route)
            try flight.vmm.client.perform(.resume)
            try await flight.expectCount("power_button", 1)
        }

        /// The test guest takes it for a fault: it says so and switches itself off.
        @Test func nmiReachesTheGuest() async throws {
            let lab = try Lab()
            let vmm = try lab.start(
                "vmm",
                [
                    "--kernel", try #require(Prerequisites.guest), "--cmdline", "report=50",
                    "--serial", "file=\(lab.path("serial"))",
                ])
            var serial = try SerialLog(path: lab.path("serial"))
            var lines: [GuestLine] = []
            try await eventually("the guest's reports") {
                lines += try serial.newLines()
                return lines.contains { $0.kind == .report }
            }
            try vmm.client.perform(.nmi)
            try await eventually("the NMI in the guest\n\(vmm.log)") {
                lines += try serial.newLines()
                return lines.contains { $0.kind == .error && $0.count("vector") == 2 }
            }
        }
    }
}
