import LinuxSystem
import Logging
import Testing

@testable import ControlAPI

@Suite struct SocketTests {
    @Test func secondServerAtTheSamePathIsRefused() throws {
        let fixture = try ServerFixture()
        let failure = #expect(throws: SystemError.self) {
            try APIServer(
                path: fixture.path, handler: RecordingHandler(.succeed),
                logger: Logger(label: "test"))
        }
        #expect(failure?.errno == .addressInUse)
        try fixture.client.perform(.pause)
    }

    @Test func staleSocketIsReplaced() throws {
        let path = temporaryPath("stale")
        defer { removeTemporary(path) }
        try leaveStaleSocket(at: path)
        let server = try APIServer(
            path: path, handler: RecordingHandler(.succeed), logger: Logger(label: "test"))
        try APIClient(path: path).perform(.pause)
        server.stop()
    }

    @Test func stopDeliversAnswersAndClosesTheConnections() throws {
        let fixture = try ServerFixture()
        let client = try fixture.connect()
        try client.send("PUT /api/v1/vmm.shutdown HTTP/1.1\r\n\r\n")
        #expect(try client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204"))
        fixture.server.stop()
        #expect(try client.receiveToEnd() == "")
    }

    @Test func stopOnTheWayOfAnAnswerDeliversIt() throws {
        let handler = RecordingHandler(.keepReceiving)
        let path = temporaryPath("stop")
        defer { removeTemporary(path) }
        let server = try APIServer(path: path, handler: handler, logger: Logger(label: "test"))
        let client = RawClient(try StreamSocket.connect(path: path, deadline: testDeadline))
        let body = CallTests.receive
        try client.send(
            "PUT /api/v1/vm.receive-migration HTTP/1.1\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        try handler.waitForKept()
        handler.release()
        server.stop()
        #expect(try client.receiveToEnd().hasPrefix("HTTP/1.1 204"))
    }

    /// Makes a socket that nobody listens at: the listener's path is linked to a second name,
    /// which stays when the listener removes its own.
    private func leaveStaleSocket(at path: String) throws {
        let other = temporaryPath("listener")
        defer { removeTemporary(other) }
        let listener = try StreamListener(path: other)
        let linking = try ChildProcess(path: "/bin/ln", arguments: [other, path])
        #expect(try linking.wait() == .exited(0))
        withExtendedLifetime(listener.descriptor.rawValue) {}
    }
}
