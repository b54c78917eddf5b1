import LinuxSystem
import Testing
import Transport

@Suite struct SocketListenerTests {
    let network = HostNetwork(allowsPlainTCP: false)

    @Test func secondListenerOnAPathFailsAndHarmsNotTheFirst() throws {
        let url = MigrationURL.unix(path: temporaryPath("second"))
        let first = try network.listen(on: url)
        defer { first.close() }

        let error = #expect(throws: TransportError.self) { try network.listen(on: url) }

        #expect(error?.description.contains("another process listens") == true)
        let client = try network.connect(to: url, within: OperationLimits())
        _ = try first.accept(within: OperationLimits(deadline: .after(milliseconds: 120_000)))
        client.close(.abrupt)
    }

    /// Number 32 in docs/comparison.md: the path stays there.
    @Test func pathIsFreeAgainAfterClosing() throws {
        let url = MigrationURL.unix(path: temporaryPath("again"))
        try network.listen(on: url).close()

        let error = #expect(throws: TransportError.self) {
            try network.connect(to: url, within: OperationLimits())
        }
        #expect(error?.description.contains("No such file") == true)
        try network.listen(on: url).close()
    }

    @Test func closingWakesWhoeverWaitsForAConnection() throws {
        let listener = try network.listen(on: .tcp(host: "127.0.0.1", port: 0))
        let closing = try WorkerThread(name: "closing") { _ in listener.close() }

        #expect(throws: TransportError.notListening(listener.url)) {
            try listener.accept(within: OperationLimits())
        }
        closing.join()
    }

    @Test func acceptEndsWithItsDeadlineAndWithACancel() throws {
        let listener = try network.listen(on: .tcp(host: "127.0.0.1", port: 0))
        defer { listener.close() }
        let cancellation = try Cancellation()
        cancellation.request("enough")

        #expect(throws: TransportError.self) {
            try listener.accept(within: OperationLimits(deadline: .after(milliseconds: 10)))
        }
        #expect(throws: TransportError.cancelled(reason: "enough")) {
            try listener.accept(within: OperationLimits(cancellation: cancellation))
        }
    }

    /// Number 23 in docs/comparison.md: plain TCP is the default there.
    @Test(arguments: ["tcp:0.0.0.0:0", "tcp:[::]:0"])
    func plainTCPBeyondLoopbackIsRefusedUnlessAllowed(text: String) throws {
        let url = try MigrationURL(parsing: text)

        let error = #expect(throws: TransportError.self) { try network.listen(on: url) }

        #expect(error?.description.contains("--allow-plain-tcp") == true)
        try HostNetwork(allowsPlainTCP: true).listen(on: url).close()
    }

    @Test func connectingBeyondLoopbackIsRefusedBeforeAnyPacket() {
        // TEST-NET-1 of RFC 5737: nobody is there, so anything but a refusal would take long.
        let error = #expect(throws: TransportError.self) {
            try network.connect(
                to: .tcp(host: "192.0.2.1", port: 9), within: OperationLimits())
        }
        #expect(error?.description.contains("--allow-plain-tcp") == true)
    }
}
