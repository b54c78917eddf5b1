import ControlAPI
import Harness
import LinuxSystem
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
            for port in 4444..<4447 {
                let (send, receive) = wishes(to: "tcp:127.0.0.1:\(port)", folder, folder)
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

        @Test func wrongFolderIsNoticedByTheCall() async throws {
            let flight = try await Flight(in: Lab())
            let folder = try authority.issue()
            folder.remove("client-key.pem")
            folder.remove("server-key.pem")
            let destination = try flight.startNext()
            let (send, receive) = wishes(to: "tcp:127.0.0.1:4444", folder, folder)

            let atSource = refusal(400) { () throws(APIClientError) in
                try flight.vmm.client.sendMigration(send)
            }
            let atDestination = refusal(500) { () throws(APIClientError) in
                try destination.client.receiveMigration(receive, deadline: APIClient.usual)
            }

            #expect(atSource.contains("client-key.pem"), "\(atSource)")
            #expect(atDestination.contains("server-key.pem"), "\(atDestination)")
            try await flight.expectWork()
        }
    }
}
