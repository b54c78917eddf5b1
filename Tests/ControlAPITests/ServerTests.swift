import LinuxSystem
import Logging
import Synchronization
import Testing

@testable import ControlAPI

@Suite struct ServerTests {
    static let ping = "GET /api/v1/vmm.ping HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test func callIsAnsweredWithItsBody() throws {
        let fixture = try ServerFixture(answering: .ping)
        let client = try fixture.connect()
        try client.send(Self.ping)
        let answer = try client.receive(until: "}")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("Server: Martlet API\r\n"))
        #expect(answer.contains("Content-Type: application/json\r\n"))
        #expect(
            answer.hasSuffix(
                "\r\n\r\n" + #"{"build_version":"b","features":["f"],"pid":7,"version":"v"}"#))
    }

    @Test func successWithoutBodyIs204() throws {
        let fixture = try ServerFixture()
        let client = try fixture.connect()
        try client.send("PUT /api/v1/vm.boot HTTP/1.1\r\n\r\n")
        let answer = try client.receive(until: "\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 204 No Content\r\n"))
        #expect(!answer.contains("Content-Length"))
        #expect(fixture.handler.calls == [.boot])
    }

    @Test func failureIsAnArrayOfReasons() throws {
        let fixture = try ServerFixture(
            answering: .fail(APIFailure(.internalError, "outer", "root \"x\"")))
        let client = try fixture.connect()
        try client.send("PUT /api/v1/vm.boot HTTP/1.1\r\n\r\n")
        let answer = try client.receive(until: "]")
        #expect(answer.hasPrefix("HTTP/1.1 500 "))
        #expect(answer.hasSuffix(#"["outer","root \"x\""]"#))
    }

    @Test func droppedReplyIs500() throws {
        let fixture = try ServerFixture(answering: .drop)
        let client = try fixture.connect()
        try client.send(Self.ping)
        #expect(try client.receive(until: "]").hasPrefix("HTTP/1.1 500 "))
    }

    @Test func connectionIsKeptForMoreRequests() throws {
        let fixture = try ServerFixture()
        let client = try fixture.connect()
        for _ in 0..<3 {
            try client.send("PUT /api/v1/vm.pause HTTP/1.1\r\n\r\n")
            #expect(try client.receive(until: "\r\n\r\n").contains("keep-alive"))
        }
        try client.send("PUT /api/v1/vm.resume HTTP/1.1\r\nConnection: close\r\n\r\n")
        #expect(try client.receiveToEnd().contains("Connection: close"))
        #expect(fixture.handler.calls == [.pause, .pause, .pause, .resume])
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() throws {
        let fixture = try ServerFixture()
        let client = try fixture.connect()
        try client.send(
            "PUT /api/v1/vm.pause HTTP/1.1\r\n\r\nGET /nothing HTTP/1.1\r\n\r\n"
                + "PUT /api/v1/vm.resume HTTP/1.1\r\nConnection: close\r\n\r\n")
        let answers = try client.receiveToEnd()
        let statuses = answers.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["204", "404", "204"])
        #expect(fixture.handler.calls == [.pause, .resume])
    }

    @Test func garbageAfterARequestEndsTheConnectionOnly() throws {
        let fixture = try ServerFixture()
        let client = try fixture.connect()
        try client.send("PUT /api/v1/vm.pause HTTP/1.1\r\n\r\n")
        #expect(try client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204"))
        try client.send("\u{1}\u{2}garbage\r\n\r\n")
        #expect(try client.receiveToEnd().hasPrefix("HTTP/1.1 400"))
        try fixture.client.perform(.resume)
    }

    @Test func requestsBeforeGarbageAreCarriedOut() throws {
        let fixture = try ServerFixture()
        let client = try fixture.connect()
        try client.send("PUT /api/v1/vm.pause HTTP/1.1\r\n\r\n\u{1}\u{2}garbage\r\n\r\n")
        let answers = try client.receiveToEnd()
        #expect(answers.split(separator: "HTTP/1.1 ").map { $0.prefix(3) } == ["204", "400"])
        #expect(fixture.handler.calls == [.pause])
    }

    @Test func oversizedHeadAndBodyAre400() throws {
        let fixture = try ServerFixture()
        let long = String(repeating: "a", count: 9000)
        for request in [
            "GET /\(long) HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA: \(long)\r\n\r\n",
            "PUT /api/v1/vm.create HTTP/1.1\r\nContent-Length: 5000000\r\n\r\n",
        ] {
            let client = try fixture.connect()
            try client.send(request)
            #expect(try client.receiveToEnd().hasPrefix("HTTP/1.1 400"))
        }
        #expect(fixture.handler.calls.isEmpty)
    }

    @Test func largeBodyIsTaken() throws {
        let fixture = try ServerFixture()
        var config = ValidationTests.valid()
        config.payload?.cmdline = String(repeating: "x", count: 4_000_000)
        try fixture.client.create(config)
        #expect(fixture.handler.calls == [.create(config)])
    }

    @Test func clientThatWaitsForContinueIsToldSo() throws {
        let fixture = try ServerFixture()
        let client = try fixture.connect()
        let body = CallTests.send
        try client.send(
            "PUT /api/v1/vm.send-migration HTTP/1.1\r\nExpect: 100-continue\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n")
        #expect(try client.receive(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send(body)
        #expect(try client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204"))
    }

    @Test func slowClientIsClosed() throws {
        var limits = ServerLimits()
        limits.requestMilliseconds = 50
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.connect()
        try client.send("PUT /api/v1/vm.cre")
        #expect(try client.receiveToEnd() == "")
        try fixture.client.perform(.resume)
    }

    @Test func slowClientIsClosedAlsoAfterACall() throws {
        var limits = ServerLimits()
        limits.requestMilliseconds = 50
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.connect()
        try client.send("PUT /api/v1/vm.pause HTTP/1.1\r\n\r\nPUT /api/v1/vm.cre")
        let answer = try client.receiveToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 204") && answer.hasSuffix("\r\n\r\n"))
    }

    @Test func idleClientIsClosed() throws {
        var limits = ServerLimits()
        limits.idleMilliseconds = 50
        let fixture = try ServerFixture(limits: limits)
        #expect(try fixture.connect().receiveToEnd() == "")
    }

    @Test func clientThatDoesNotTakeItsAnswerIsClosed() throws {
        var limits = ServerLimits()
        limits.requestMilliseconds = 50
        let fixture = try ServerFixture(
            limits: limits,
            answering: .fail(
                APIFailure(.internalError, String(repeating: "x", count: 4 << 20))))
        let client = try fixture.connect()
        try client.send(Self.ping)
        try fixture.client.expectRefusal(.ping)
        // The answer is cut: the server has given up and not kept it for ever.
        try client.waitForHangUp()
    }

    @Test func eleventhClientIsRefusedAndTheOthersAreServed() throws {
        let fixture = try ServerFixture()
        let clients = try (0..<10).map { _ in
            let client = try fixture.connect()
            // An answer shows that the server has counted the client.
            try client.send("PUT /api/v1/vm.pause HTTP/1.1\r\n\r\n")
            #expect(try client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204"))
            return client
        }
        #expect(try fixture.connect().receiveToEnd().hasPrefix("HTTP/1.1 503"))
        for client in clients {
            try client.send("PUT /api/v1/vm.resume HTTP/1.1\r\n\r\n")
            #expect(try client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 204"))
        }
    }

    @Test func waitingCallDoesNotHoldUpOtherClients() throws {
        let fixture = try ServerFixture(answering: .keepReceiving)
        let isReceived = Mutex(false)
        // A thread of its own: tests may occupy all threads of the pool.
        let receiving = try WorkerThread(name: "receiving") { _ in
            let data = ReceiveMigrationData(receiverURL: "unix:/r")
            let answer: Void? = try? fixture.client.receiveMigration(data, deadline: testDeadline)
            isReceived.withLock { $0 = answer != nil }
        }
        try fixture.handler.waitForKept()
        for _ in 0..<20 {
            try fixture.client.perform(.pause)
        }
        #expect(isReceived.withLock { !$0 })
        fixture.handler.release()
        receiving.join()
        #expect(isReceived.withLock { $0 })
    }

    @Test func clientThatLeavesWhileItsCallIsCarriedOutMakesRoom() throws {
        let fixture = try ServerFixture(answering: .keepReceiving)
        // More than there is room for at once.
        for _ in 0..<12 {
            let client = try fixture.connect()
            let body = CallTests.receive
            try client.send(
                "PUT /api/v1/vm.receive-migration HTTP/1.1\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            try fixture.handler.waitForKept()
        }
        try fixture.client.perform(.pause)
        // Nobody is there to take these answers.
        fixture.handler.release()
        try fixture.client.perform(.pause)
    }

    @Test func passedDescriptorsAreRefusedAndClosed() throws {
        let fixture = try ServerFixture()
        let passed = try PassedDescriptor()
        let failure = #expect(throws: APIClientError.self) {
            try fixture.client.call(
                .ping, descriptors: [passed.number], deadline: testDeadline)
        }
        guard case .refused(400, let reasons) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(reasons.first?.contains("takes no descriptors") == true)
        try passed.expectClosed()
    }

    @Test func descriptorsOfAnUnfinishedRequestAreClosed() throws {
        let fixture = try ServerFixture()
        let passed = try PassedDescriptor()
        do {
            let client = try fixture.connect()
            try client.send("PUT /api/v1/vm.cre", descriptors: [passed.number])
        }
        try passed.expectClosed()
    }

    @Test func descriptorsWithTheBytesOfTwoRequestsAreRefused() throws {
        let fixture = try ServerFixture()
        let passed = try PassedDescriptor()
        let client = try fixture.connect()
        try client.send(Self.ping + Self.ping, descriptors: [passed.number])
        let answer = try client.receiveToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 400"))
        #expect(answer.contains("two requests"))
        try passed.expectClosed()
    }
}

extension APIClient {
    /// Makes a call that is refused.
    fileprivate func expectRefusal(_ endpoint: Endpoint) throws {
        #expect(throws: APIClientError.self) { try perform(endpoint) }
    }
}

extension RawClient {
    /// Waits until the server has closed the connection, without reading what it has sent.
    fileprivate func waitForHangUp() throws {
        let poller = try Poller()
        try poller.add(socket.descriptor, for: [], token: 0)
        #expect(try poller.wait(deadline: testDeadline) { _, _ in })
    }
}
