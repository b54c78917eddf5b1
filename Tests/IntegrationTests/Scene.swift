import ControlAPI
import Harness
import LinuxSystem
import MigrationProtocol
import Testing

/// A migration that is held at a chosen message.
struct Scene {
    let flight: Flight
    let source: MartletProcess
    let destination: MartletProcess
    let reception: Reception
    let interceptor: Interceptor

    /// Boots a guest, begins to move it, and waits until the message is there.
    init(
        at point: Interceptor.Message, _ plan: GuestPlan = GuestPlan(memory: "size=64M")
    ) async throws {
        let lab = try Lab()
        flight = try await Flight(plan, in: lab)
        source = flight.vmm
        destination = try flight.startNext()
        reception = try destination.receive(at: "unix:\(lab.path("door"))")
        interceptor = try Interceptor(
            at: lab.path("wire"), before: lab.path("door"), holding: point)
        try source.client.sendMigration(
            SendMigrationData(destinationURL: "unix:\(lab.path("wire"))"))
        let interceptor = interceptor
        try await eventually("\(point)\n\(source.log)") { interceptor.hasReached }
    }

    /// Waits until the source has its guest back and goes on with it.
    func expectGuestStays() async throws {
        let result = try await source.migrationResult()
        #expect(result.outcome == .failed)
        #expect(result.errors.first?.isEmpty == false)
        #expect(try source.client.info().state == .running)
        try await flight.expectWork()
    }

    /// Ends the connections.
    func end() {
        interceptor.close()
    }
}
