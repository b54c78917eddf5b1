import Harness
import LinuxSystem
import Testing
import Transport

@testable import TransportTLS

/// Peers that are no Martlet with TLS 1.3 and a certificate.
@Suite struct PeerTests {
    @Test func sourceWithoutCertificate() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let peer = try OpenSSLPeer(.client, nil, version: nil, connectingTo: listener.url)
        defer { peer.stop() }

        #expect(try ends.reports.first().contains("has shown no certificate"))
    }

    @Test func sourceWithTLS12() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let peer = try OpenSSLPeer(.client, folder, version: "-tls1_2", connectingTo: listener.url)
        defer { peer.stop() }

        #expect(try ends.reports.first().contains("TLS 1.3"))
    }

    @Test func destinationWithTLS12() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let peer = try OpenSSLPeer(.server, folder, version: "-tls1_2", connectingTo: nil)
        defer { peer.stop() }
        let url = try peer.waitForURL()

        #expect(ends.sourceError(at: url) == .tls(.oldVersion(peer: "\(url)")))
    }

    @Test func plainSourceAtAProtectedDestination() throws {
        let ends = try TLSEnds(server: Certificates.good.get(), client: nil)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        var answer: [UInt8] = []
        let client = try ends.client.connect(to: listener.url, within: OperationLimits())
        // Start, as a source of the base protocol begins.
        try client.send([1, 0] + [UInt8](repeating: 0, count: 14), within: OperationLimits())

        #expect(throws: TransportError.tls(.expectedByPeer(peer: client.peer))) {
            try client.receive(16, into: &answer, within: OperationLimits())
        }
        #expect(try ends.reports.first().contains("does not speak TLS; give tls_dir"))
    }

    @Test func protectedSourceAtAPlainDestination() throws {
        let ends = try TLSEnds(server: nil, client: Certificates.good.get())
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let destination = try WorkerThread(name: "destination") { _ in
            guard let channel = try? listener.accept(within: OperationLimits()) else { return }
            var first: [UInt8] = []
            try? channel.receive(2, into: &first, within: OperationLimits())
            #expect(TLSError.isHandshake(first))
            channel.close(.orderly)
        }

        let error = ends.sourceError(at: listener.url)
        destination.join()

        #expect(error == .tls(.endedInHandshake(peer: "\(listener.url)")))
        #expect(error?.description.contains("tls_dir at both ends") == true)
    }

    @Test func plainAnswerIsNoTLS() throws {
        let ends = try TLSEnds(server: nil, client: Certificates.good.get())
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let destination = try WorkerThread(name: "destination") { _ in
            guard let channel = try? listener.accept(within: OperationLimits()) else { return }
            // Error, as a destination of the base protocol answers.
            try? channel.send(
                [2, 0] + [UInt8](repeating: 0, count: 14), within: OperationLimits())
            channel.close(.orderly)
        }

        let error = ends.sourceError(at: listener.url)
        destination.join()

        #expect(error == .tls(.plainPeer(peer: "\(listener.url)")))
    }

    @Test func silentPeersDoNotKeepOthersWaiting() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let plain = HostNetwork(allowsPlainTCP: false)
        let silent = try (0..<20).map { _ in
            try plain.connect(to: listener.url, within: OperationLimits())
        }
        let start = MonotonicInstant.now

        let client = try ends.client.connect(to: listener.url, within: OperationLimits())
        let server = try listener.accept(within: OperationLimits())
        try client.send([1], within: OperationLimits())
        var bytes: [UInt8] = []
        try server.receive(1, into: &bytes, within: OperationLimits())

        // Well within the time that the silent ones are given if each is waited for.
        let limit = UInt64(silent.count * TLSChannel.handshakeSeconds) * 1_000_000_000 / 2
        #expect(MonotonicInstant.now.nanoseconds(since: start) < limit)
        for channel in silent { channel.close(.abrupt) }
    }

    @Test func silentPeersAreGivenUpAfterAWhile() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let plain = HostNetwork(allowsPlainTCP: false)
        let silent = try plain.connect(to: listener.url, within: OperationLimits())

        #expect(try ends.reports.first().contains("within \(TLSChannel.handshakeSeconds) s"))
        silent.close(.abrupt)
    }

    @Test func moreSilentPeersThanThereIsRoomForPushOutTheOldest() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let plain = HostNetwork(allowsPlainTCP: false)
        let silent = try (0...ProtectedListener.capacity + 4).map { _ in
            try plain.connect(to: listener.url, within: OperationLimits())
        }
        var bytes: [UInt8] = []

        // The first was broken off before its time was over.
        #expect(throws: TransportError.truncated(peer: silent[0].peer)) {
            try silent[0].receive(1, into: &bytes, within: OperationLimits(idleSeconds: 8))
        }
        let client = try ends.client.connect(to: listener.url, within: OperationLimits())
        client.close(.abrupt)
        for channel in silent { channel.close(.abrupt) }
    }

    @Test func closingWakesWhoeverWaitsForAConnection() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        let closing = try WorkerThread(name: "closing") { _ in listener.close() }

        #expect(throws: TransportError.notListening(listener.url)) {
            try listener.accept(within: OperationLimits())
        }
        closing.join()
        let cancellation = try Cancellation()
        cancellation.request("enough")
        #expect(throws: TransportError.cancelled(reason: "enough")) {
            try listener.accept(within: OperationLimits(cancellation: cancellation))
        }
    }

    @Test func socketsOfThisHostNeedNoTLS() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)
        let url = MigrationURL.unix(path: folder.path("socket"))

        #expect(throws: TransportError.tls(.needsTCP("\(url)"))) { try ends.server.listen(on: url) }
        #expect(throws: TransportError.tls(.needsTCP("\(url)"))) {
            try ends.client.connect(to: url, within: OperationLimits())
        }
    }

    /// Loopback is not meant: with TLS, any address may be listened on.
    @Test func protectedConnectionsNeedNoPermission() throws {
        let folder = try Certificates.good.get()
        let ends = try TLSEnds(server: folder, client: folder)

        try ends.server.listen(on: .tcp(host: "0.0.0.0", port: 0)).close()
    }
}
