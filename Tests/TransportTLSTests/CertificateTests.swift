import Harness
import LinuxSystem
import Testing
import Transport

@testable import TransportTLS

/// Each kind of wrong certificate: what is said at both ends.
@Suite struct CertificateTests {
    private let authority: CertificateAuthority

    init() throws { authority = try Certificates.authority.get() }

    private func issue(
        server: TestCertificate = TestCertificate(), client: TestCertificate = TestCertificate()
    ) throws -> TLSFolder {
        try authority.issue(server: server, client: client)
    }

    /// Lets a source and a destination meet.
    ///
    /// - Returns: what each end says.
    private func meet(_ ends: TLSEnds) throws -> (source: TransportError?, destination: String) {
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let error = ends.sourceError(at: listener.url)
        return (error, try ends.reports.first())
    }

    // MARK: Files

    @Test(arguments: ["ca-cert.pem", "server-cert.pem", "server-key.pem"])
    func fileThatIsNotThereIsNamed(file: String) throws {
        let folder = try issue()
        folder.remove(file)

        let error = #expect(throws: TLSError.self) {
            try TLSCredentials(folder: folder.path, role: .server)
        }
        #expect(error?.description.contains(folder.path(file)) == true)
        #expect(error?.description.contains("No such file") == true)
    }

    @Test func folderThatIsNotThereIsNamed() throws {
        let error = #expect(throws: TLSError.self) {
            try TLSCredentials(folder: "/nowhere", role: .client)
        }
        #expect(error?.description.contains("/nowhere/ca-cert.pem") == true)
    }

    @Test func pipeInPlaceOfAFileIsNamedAndNotWaitedFor() throws {
        let folder = try issue()
        folder.remove("ca-cert.pem")
        let made = try CommandRun(
            path: "/usr/bin/mkfifo", arguments: [folder.path("ca-cert.pem")], folder: folder.path,
            deadline: .after(milliseconds: 120_000))
        try #require(made.status == .exited(0))

        #expect(throws: TLSError.notAFile(path: folder.path("ca-cert.pem"))) {
            try TLSCredentials(folder: folder.path, role: .client)
        }
    }

    @Test(arguments: ["ca-cert.pem", "client-cert.pem", "client-key.pem"])
    func fileThatIsNotPEMIsNamed(file: String) throws {
        let folder = try issue()
        for content in [
            "", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            try folder.write(content, to: file)
            let error = #expect(throws: TLSError.self) {
                try TLSCredentials(folder: folder.path, role: .client)
            }
            guard case .notPEM(folder.path(file), _)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test func keyOfAnotherCertificateIsNoticed() throws {
        let folder = try issue()
        try folder.copy("server-key.pem", of: folder, to: "client-key.pem")

        #expect(
            throws: TLSError.keyMismatch(
                certificate: folder.path("client-cert.pem"), key: folder.path("client-key.pem"))
        ) {
            try TLSCredentials(folder: folder.path, role: .client)
        }
    }

    @Test func ownCertificateThatIsNotValidIsNoticedBeforeConnecting() throws {
        let folder = try issue(server: .expired, client: .future)

        let expired = #expect(throws: TLSError.self) {
            try TLSCredentials(folder: folder.path, role: .server)
        }
        let future = #expect(throws: TLSError.self) {
            try TLSCredentials(folder: folder.path, role: .client)
        }
        guard case .outsideValidity(folder.path("server-cert.pem"), .expired)? = expired,
            case .outsideValidity(folder.path("client-cert.pem"), .notYet)? = future
        else {
            Issue.record("\(String(describing: expired)), \(String(describing: future))")
            return
        }
    }

    @Test(arguments: [
        (TLSCredentials.Role.server, "clientAuth", TLSError.Purpose.server),
        (.client, "serverAuth", .client),
    ])
    func ownCertificateForTheOtherEndIsNoticedBeforeConnecting(
        role: TLSCredentials.Role, usage: String, needed: TLSError.Purpose
    ) throws {
        let folder = try issue(
            server: TestCertificate(usage: usage), client: TestCertificate(usage: usage))

        #expect(
            throws: TLSError.wrongPurpose(
                of: folder.path("\(role.rawValue)-cert.pem"), needed: needed)
        ) {
            try TLSCredentials(folder: folder.path, role: role)
        }
    }

    @Test(arguments: [nil, "serverAuth,clientAuth", "serverAuth"])
    func certificateThatMayBeUsedHereIsFine(usage: String?) throws {
        var server = TestCertificate()
        server.usage = usage
        let ends = try TLSEnds(server: issue(server: server), client: issue())
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }

        let client = try ends.client.connect(to: listener.url, within: OperationLimits())
        client.close(.abrupt)
    }

    /// As when an authority is replaced by another: for a while the file holds both.
    @Test func authorityThatIsNotValidCountsOnlyWhereThereIsNoOther() throws {
        let folder = try issue()
        let old = try issue(server: .expired)
        func text(_ file: String, of folder: TLSFolder) throws -> String {
            let bytes = try OwnedDescriptor(opening: folder.path(file)).readAll(maximum: 1 << 16)
            return String(decoding: bytes, as: UTF8.self)
        }
        let expired = try text("server-cert.pem", of: old)
        let good = try text("ca-cert.pem", of: folder)

        try folder.write(expired + good, to: "ca-cert.pem")
        _ = try TLSCredentials(folder: folder.path, role: .client)
        try folder.write(expired, to: "ca-cert.pem")
        let error = #expect(throws: TLSError.self) {
            try TLSCredentials(folder: folder.path, role: .client)
        }

        guard case .outsideValidity(folder.path("ca-cert.pem"), .expired)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    // MARK: Authorities

    @Test func certificateOfAnotherAuthorityAtTheSource() throws {
        let stranger = try CertificateAuthority(name: "Stranger").issue(
            trusting: authority)
        let said = try meet(TLSEnds(server: issue(), client: stranger))

        guard case .tls(.refusedByPeer(_, let reason))? = said.source else {
            Issue.record("\(String(describing: said.source))")
            return
        }
        #expect(reason.contains("authority"))
        #expect(said.destination.contains("issued by 'Stranger'"), "\(said.destination)")
        #expect(said.destination.contains("ca-cert.pem"))
    }

    @Test func certificateOfAnotherAuthorityAtTheDestination() throws {
        let stranger = try CertificateAuthority(name: "Stranger").issue(
            trusting: authority)
        let said = try meet(TLSEnds(server: stranger, client: issue()))

        guard case .tls(.untrusted(_, "Stranger", _))? = said.source else {
            Issue.record("\(String(describing: said.source))")
            return
        }
        #expect(said.destination.contains("does not accept the certificate of this end"))
    }

    // MARK: Validity and purpose, as the other end sees them

    @Test(arguments: [true, false])
    func certificateOfThePeerThatIsNotValidNow(isExpired: Bool) throws {
        let wrong: TestCertificate = isExpired ? .expired : .future
        let bad = try issue(server: wrong, client: wrong)
        let good = try issue()
        let ends = try TLSEnds(server: good, client: good)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        // The openssl command does not look at its own certificate.
        let server = try OpenSSLPeer(.server, bad, version: nil, connectingTo: nil)
        defer { server.stop() }

        let atSource = "\(try #require(ends.sourceError(at: try server.waitForURL())))"
        let client = try OpenSSLPeer(.client, bad, version: nil, connectingTo: listener.url)
        defer { client.stop() }
        let atDestination = try ends.reports.first()

        for text in [atSource, atDestination] {
            #expect(text.contains(isExpired ? "expired" : "not valid before"), "\(text)")
        }
    }

    @Test func certificateOfThePeerThatIsForTheOtherEnd() throws {
        let bad = try issue(
            server: TestCertificate(usage: "clientAuth"),
            client: TestCertificate(usage: "serverAuth"))
        let good = try issue()
        let ends = try TLSEnds(server: good, client: good)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let server = try OpenSSLPeer(.server, bad, version: nil, connectingTo: nil)
        defer { server.stop() }

        let atSource = ends.sourceError(at: try server.waitForURL())
        let client = try OpenSSLPeer(.client, bad, version: nil, connectingTo: listener.url)
        defer { client.stop() }
        let atDestination = try ends.reports.first()

        guard case .tls(.wrongPurpose(_, .server))? = atSource else {
            Issue.record("\(String(describing: atSource))")
            return
        }
        #expect(atDestination.contains("lacks clientAuth"), "\(atDestination)")
    }

    // MARK: Names

    @Test func destinationWithAnotherName() throws {
        let folder = try issue(
            server: TestCertificate(names: ["DNS:other.example", "IP:192.0.2.7"]))
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }

        let error = ends.sourceError(at: listener.url)

        #expect(
            error
                == .tls(
                    .wrongName(
                        peer: "\(listener.url)", expected: "'127.0.0.1'",
                        found: ["other.example", "192.0.2.7", "CN=martlet"])))
        // The destination sees a source that went away without a word.
        let server = try listener.accept(within: OperationLimits())
        var bytes: [UInt8] = []
        #expect(throws: TransportError.closed(peer: server.peer)) {
            try server.receive(1, into: &bytes, within: OperationLimits())
        }
        server.close(.abrupt)
    }

    @Test func destinationIsNamedByDNSNameToo() throws {
        let folder = try issue(server: TestCertificate(names: ["DNS:localhost"]))
        let ends = try TLSEnds(server: folder, client: folder)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        guard case .tcp(_, let port) = listener.url else { return }

        let channel = try ends.client.connect(
            to: .tcp(host: "localhost", port: port), within: OperationLimits())
        channel.close(.abrupt)
    }

    @Test func sourceWithAnotherNameIsLetInOnlyToBeTold() throws {
        let folder = try issue(client: TestCertificate(names: ["IP:192.0.2.7"]))
        for clients in [ClientNames.ownAddress, .listed(["host-b"])] {
            let ends = try TLSEnds(server: folder, client: folder, letsIn: clients)
            let listener = try ends.server.listen(on: TLSEnds.anyPort)
            defer { listener.close() }
            let client = try ends.client.connect(to: listener.url, within: OperationLimits())
            let server = try listener.accept(within: OperationLimits())

            let refusal = try #require(server.refusal)
            #expect(refusal.contains("192.0.2.7") && refusal.contains("tls_names"))
            client.close(.abrupt)
        }
    }

    @Test(arguments: [
        (TestCertificate(names: ["IP:127.0.0.1"]), ClientNames.ownAddress),
        (TestCertificate(names: ["DNS:host-a.example"]), ClientNames(["x", "HOST-A.example"])),
        (TestCertificate(names: ["DNS:*.example.org"]), ClientNames(["a.example.org"])),
        (TestCertificate(names: [], commonName: "client"), ClientNames(["client"])),
        (TestCertificate(names: [], commonName: "client"), ClientNames(["*"])),
    ])
    func sourceWithARightNameIsLetIn(certificate: TestCertificate, clients: ClientNames) throws {
        let folder = try issue(client: certificate)
        let ends = try TLSEnds(server: folder, client: folder, letsIn: clients)
        let listener = try ends.server.listen(on: TLSEnds.anyPort)
        defer { listener.close() }
        let client = try ends.client.connect(to: listener.url, within: OperationLimits())
        let server = try listener.accept(within: OperationLimits())

        #expect(server.refusal == nil)
        client.close(.abrupt)
    }

    @Test(arguments: [
        ("a.example.org", "*.example.org", true), ("a.b.example.org", "*.example.org", false),
        ("example.org", "*.example.org", false), ("example.org", "*.org", false),
        ("A.example.org.", "a.EXAMPLE.org", true), (".example.org", "*.example.org", false),
        ("127.0.0.1", "*.0.0.1", false),
    ])
    func wildcardsStandForOneLabel(host: String, pattern: String, matches: Bool) throws {
        var names = PeerNames(nil)
        names.dns = [PeerNames.canonical(pattern)]

        #expect(names.match(host: host) == matches)
    }
}
