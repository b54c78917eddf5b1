import ControlAPI
import Harness
import Testing

/// Destinations whose guest does not come.
@Suite(.needsExecutable) struct ReceptionTests {
    @Test func cancelledBeforeASourceCameTheVMMReceivesAgain() async throws {
        let lab = try Lab()
        let vmm = try lab.start("vmm")

        for _ in 0..<2 {
            let reception = try vmm.receive(at: "unix:\(lab.path("door"))")
            try vmm.client.perform(.cancelMigration)

            #expect(throws: HarnessError.self) { try reception.wait() }
            #expect(try vmm.client.migrationProgress().result?.outcome == .cancelled)
        }
        refusal(404) { () throws(APIClientError) in _ = try vmm.client.info() }
    }
}
