import LinuxSystem
import Testing

@testable import ControlAPI

@Suite struct ClientTests {
    @Test func answerIsRead() throws {
        let fixture = try ServerFixture(answering: .ping)
        #expect(
            try fixture.client.ping()
                == VmmPing(buildVersion: "b", version: "v", pid: 7, features: ["f"]))
    }

    @Test func reasonsOfARefusalAreKept() throws {
        let fixture = try ServerFixture(
            answering: .fail(APIFailure(.notFound, "No guest", "create one first")))
        let failure = #expect(throws: APIClientError.self) {
            try fixture.client.perform(.boot)
        }
        #expect(failure == .refused(status: 404, reasons: ["No guest", "create one first"]))
        #expect(failure?.description == "No guest: create one first")
    }

    @Test func nobodyListening() {
        let failure = #expect(throws: APIClientError.self) {
            try APIClient(path: temporaryPath("nobody")).perform(.boot)
        }
        #expect(failure?.description.contains("--api-socket") == true)
    }

    @Test func answerOfAnotherKindIsAnError() throws {
        let fixture = try ServerFixture()
        // 204 where an object is expected.
        #expect(throws: APIClientError.self) { try fixture.client.ping() }
    }

    @Test(arguments: ["", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
    func brokenServerIsAnError(answer: String) throws {
        let path = temporaryPath("broken")
        defer { removeTemporary(path) }
        let listener = try StreamListener(path: path)
        let server = try WorkerThread(name: "broken") { [answer] _ in
            guard let socket = try? listener.accept(deadline: testDeadline) else { return }
            let bytes = Array(answer.utf8)
            if !bytes.isEmpty { try? socket.sendAll(bytes.span, deadline: testDeadline) }
            socket.shutdown(.sending)
        }
        #expect(throws: APIClientError.self) {
            try APIClient(path: path).ping(deadline: testDeadline)
        }
        server.join()
    }

    @Test func silentServerIsGivenUp() throws {
        let path = temporaryPath("silent")
        defer { removeTemporary(path) }
        let listener = try StreamListener(path: path)
        let failure = #expect(throws: APIClientError.self) {
            try APIClient(path: path).ping(deadline: .after(milliseconds: 20))
        }
        guard case .connection(let error) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(error.errno == .timedOut)
        withExtendedLifetime(listener.descriptor.rawValue) {}
    }
}
