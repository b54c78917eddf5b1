import ControlAPI
import Harness
import LinuxSystem
import Synchronization
import Testing

extension GuestTests {
    /// Migrations that are protected with TLS, between real processes.
    @Suite struct TLSTests {
        private let authority: CertificateAuthority

        init() throws {
            authority = try CertificateAuthority()
        }

        /// Both ends' wishes, with a folder for each.
        private func wishes(
            to url: String, _ source: TLSFolder?, _ destination: TLSFolder?
        ) -> (SendMigrationData, ReceiveMigrationData) {
            var send = SendMigrationData(destinationURL: url)
            send.tlsFolder = source?.path
            var receive = ReceiveMigrationData(receiverURL: url)
            receive.tlsFolder = destination?.path
            return (send, receive)
        }

        @Test(.needsNetwork) func protectedGuestUnderLoadMoves() async throws {
            let folder = try authority.issue()
            let plan = GuestPlan(processors: 2, hasDisk: true, hasNetwork: true)
            let flight = try await Flight(plan, in: Lab())

            // Whoever has the guest still listens, for sources in doubt.
            for (port, connections) in [(4444, 1), (4445, 4), (4446, 32)] {
                var (send, receive) = wishes(to: "tcp:127.0.0.1:\(port)", folder, folder)
                send.connections = UInt32(connections)
                let destination = try flight.startNext()
                let reception = try destination.receive(receive)
                try flight.vmm.client.sendMigration(send)
                let result = try await flight.vmm.migrationResult()
                try #require(result.outcome == .completed, "\(result.errors)")
                try reception.wait()
                try await flight.left(for: destination)
                try await flight.expectWork()
            }
            try await flight.end()
        }

        /// Two hosts, as far as the network is concerned, neither of which allows plain TCP.
        @Test(.needsNetwork) func protectedGuestMovesToAnotherHost() async throws {
            let folder = try authority.issue(
                server: TestCertificate(names: ["IP:10.9.0.2"]),
                client: TestCertificate(names: ["IP:10.9.0.1"]))
            let flight = try await Flight(in: Lab())
            let other = try Lab()
            let destination = try other.start("there")
            try connect(flight.lab, other, in: destination)
            let (send, receive) = wishes(to: "tcp:10.9.0.2:4444", folder, folder)

            let plain = wishes(to: "tcp:10.9.0.2:4444", nil, nil)
            let refused = refusal(500) { () throws(APIClientError) in
                try destination.client.receiveMigration(plain.1, deadline: APIClient.usual)
            }
            #expect(refused.contains("--allow-plain-tcp"))
            let reception = try destination.receive(receive)
            try flight.vmm.client.sendMigration(send)
            let result = try await flight.vmm.migrationResult()
            try #require(result.outcome == .completed, "\(result.errors)")
            try reception.wait()
            try await flight.left(for: destination)
            try await flight.expectWork()
        }

        private func connect(_ here: Lab, _ there: Lab, in process: MartletProcess) throws {
            func ip(_ lab: Lab, _ words: String) throws {
                let run = try lab.run("/sbin/ip", words.split(separator: " ").map(String.init))
                try #require(run.status == .exited(0), "ip \(words): \(run.errors)")
            }
            let identifier = process.process.identifier
            try ip(here, "link add here type veth peer name there netns \(identifier)")
            try ip(here, "address add 10.9.0.1/24 dev here")
            try ip(here, "link set here up")
            try ip(there, "address add 10.9.0.2/24 dev there")
            try ip(there, "link set there up")
        }

        /// What is wrong at one end, and what each end says about it.
        enum Fault: CaseIterable {
            case foreignSource, foreignDestination
            case sourceForAnotherHost, destinationForAnotherHost
            case plainSource, plainDestination
        }

        @Test(.needsNetwork, arguments: Fault.allCases)
        func wrongCertificateLeavesTheGuestWhereItIs(fault: Fault) async throws {
            let good = try authority.issue()
            let flight = try await Flight(in: Lab())
            let destination = try flight.startNext()
            var folders: (source: TLSFolder?, destination: TLSFolder?) = (good, good)
            let texts: (source: String, destination: String)
            switch fault {
            case .foreignSource:
                folders.source = try CertificateAuthority(name: "Stranger")
                    .issue(trusting: authority)
                texts = ("does not accept the certificate", "issued by 'Stranger'")
            case .foreignDestination:
                folders.destination = try CertificateAuthority(name: "Stranger")
                    .issue(trusting: authority)
                texts = ("issued by 'Stranger'", "does not accept the certificate")
            case .sourceForAnotherHost:
                folders.source = try authority.issue(
                    client: TestCertificate(names: ["IP:192.0.2.1"]))
                texts = ("is for 192.0.2.1", "is for 192.0.2.1")
            case .destinationForAnotherHost:
                folders.destination = try authority.issue(
                    server: TestCertificate(names: ["IP:192.0.2.1"]))
                texts = ("is for 192.0.2.1", "closed the connection")
            case .plainSource:
                folders.source = nil
                texts = ("expects TLS", "does not speak TLS")
            case .plainDestination:
                folders.destination = nil
                texts = ("give tls_dir at both ends", "speaks TLS")
            }
            let (send, receive) = wishes(
                to: "tcp:127.0.0.1:4444", folders.source, folders.destination)
            let reception = try destination.receive(receive)

            try flight.vmm.client.sendMigration(send)
            let result = try await flight.vmm.migrationResult()

            #expect(result.outcome == .failed)
            #expect(result.errors.first?.contains(texts.source) == true, "\(result.errors)")
            try await eventually("the destination's word on it\n\(destination.log)") {
                destination.log.contains(texts.destination)
            }
            try await flight.expectWork()
            // The destination goes on to wait for the right one.
            try destination.client.perform(.cancelMigration)
            #expect(throws: HarnessError.self) { try reception.wait() }
        }

        /// What is wrong with the files of one end, and what its answer says.
        enum FileFault: CaseIterable {
            case missingKey, noPEM, keyOfAnother, expired, notYet, otherEnd

            var text: String {
                switch self {
                case .missingKey: "-key.pem of tls_dir cannot be read: "
                case .noPEM: "ca-cert.pem of tls_dir holds no certificate"
                case .keyOfAnother: "-key.pem does not belong to the certificate"
                case .expired: "-cert.pem expired"
                case .notYet: "-cert.pem is not valid before"
                case .otherEnd: "-cert.pem may not be used for this end"
                }
            }
        }

        private func folder(with fault: FileFault) throws -> TLSFolder {
            let good = try authority.issue()
            switch fault {
            case .missingKey:
                good.remove("client-key.pem")
                good.remove("server-key.pem")
            case .noPEM: try good.write("-----BEGIN CERTIFICATE-----\n", to: "ca-cert.pem")
            case .keyOfAnother:
                let other = try authority.issue()
                try good.copy("client-key.pem", of: other, to: "client-key.pem")
                try good.copy("server-key.pem", of: other, to: "server-key.pem")
            case .expired: return try authority.issue(server: .expired, client: .expired)
            case .notYet: return try authority.issue(server: .future, client: .future)
            case .otherEnd:
                return try authority.issue(
                    server: TestCertificate(usage: "clientAuth"),
                    client: TestCertificate(usage: "serverAuth"))
            }
            return good
        }

        @Test func wrongFilesAreTheAnswerToTheCall() async throws {
            let flight = try await Flight(in: Lab())
            let destination = try flight.startNext()

            for fault in FileFault.allCases {
                let folder = try folder(with: fault)
                let (send, receive) = wishes(to: "tcp:127.0.0.1:4444", folder, folder)
                let atSource = refusal(400) { () throws(APIClientError) in
                    try flight.vmm.client.sendMigration(send)
                }
                let atDestination = refusal(500) { () throws(APIClientError) in
                    try destination.client.receiveMigration(receive, deadline: APIClient.usual)
                }
                for text in [atSource, atDestination] {
                    #expect(text.contains(fault.text), "\(fault): \(text)")
                    #expect(text.contains(folder.path), "\(fault): \(text)")
                }
            }
            try await flight.expectWork()
        }

        /// Eight connections come first and then only say a byte of their handshakes each. A
        /// source which had to wait for one of them would run out of time for its own.
        @Test(.needsNetwork) func connectionsThatStayInTheHandshakeDelayNobody() async throws {
            let folder = try authority.issue()
            let flight = try await Flight(in: Lab())
            var (send, receive) = wishes(to: "tcp:127.0.0.1:4444", folder, folder)
            send.connections = 4
            let destination = try flight.startNext()
            let reception = try destination.receive(receive)
            let strangers = try flight.lab.inNetwork {
                let strangers = try Strangers(count: 8, address: "127.0.0.1:4444")
                // A record with a message of a handshake begins so (RFC 8446 section 5.1).
                try strangers.say([22, 3, 1])
                return strangers
            }

            try flight.vmm.client.sendMigration(send)
            let result = try await flight.vmm.migrationResult()

            try #require(result.outcome == .completed, "\(result.errors)")
            try reception.wait()
            try await flight.left(for: destination)
            try await flight.expectWork()
            strangers.leave()
            try await flight.end()
        }

        /// The option belongs to a VMM, and each end asks its own.
        @Test(.needsNetwork, arguments: [(true, false), (false, true), (true, true)])
        func plainTCPToAnotherHostNeedsTheOptionAtBothEnds(
            source: Bool, destination: Bool
        ) async throws {
            let option = ["--allow-plain-tcp"]
            var plan = GuestPlan()
            plan.options = source ? option : []
            let flight = try await Flight(plan, in: Lab())
            let other = try Lab()
            let receiver = try other.start("there", destination ? option : [])
            try connect(flight.lab, other, in: receiver)
            let (send, receive) = wishes(to: "tcp:10.9.0.2:4444", nil, nil)

            guard destination else {
                let refused = refusal(500) { () throws(APIClientError) in
                    try receiver.client.receiveMigration(receive, deadline: APIClient.usual)
                }
                #expect(refused.contains("--allow-plain-tcp"), "\(refused)")
                return
            }
            let reception = try receiver.receive(receive)
            try flight.vmm.client.sendMigration(send)
            let result = try await flight.vmm.migrationResult()

            guard source else {
                #expect(result.outcome == .failed)
                #expect(result.errors.first?.contains("--allow-plain-tcp") == true)
                try receiver.client.perform(.cancelMigration)
                #expect(throws: HarnessError.self) { try reception.wait() }
                return try await flight.expectWork()
            }
            try #require(result.outcome == .completed, "\(result.errors)")
            try reception.wait()
            try await flight.left(for: receiver)
            try await flight.expectWork()
        }
    }
}

/// Connections that are none of a migration.
private final class Strangers: Sendable {
    private let sockets: Mutex<[Stranger]>

    private final class Stranger: Sendable {
        let socket: StreamSocket
        init(_ socket: consuming StreamSocket) { self.socket = socket }
    }

    init(count: Int, address: String) throws(SystemError) {
        var sockets: [Stranger] = []
        for _ in 0..<count {
            sockets.append(
                Stranger(
                    try StreamSocket.connect(
                        to: SocketAddress.resolve(address), deadline: .after(milliseconds: 120_000))
                )
            )
        }
        self.sockets = Mutex(sockets)
    }

    func say(_ bytes: [UInt8]) throws(SystemError) {
        for stranger in sockets.withLock({ $0 }) {
            try stranger.socket.descriptor.writeAll(bytes)
        }
    }

    func leave() {
        sockets.withLock { $0 = [] }
    }
}
