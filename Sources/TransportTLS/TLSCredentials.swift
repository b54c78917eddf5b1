import LinuxSystem
internal import NIOCore
internal import NIOSSL
public import Transport

/// What one end shows and trusts: the files of a `tls_dir`, read and checked.
///
/// The names of the files are Cloud Hypervisor's: `ca-cert.pem`, and `server-cert.pem` with
/// `server-key.pem` at the destination, `client-cert.pem` with `client-key.pem` at the source.
/// Making one is what costs time and memory (BoringSSL's), so it is made when a migration uses it.
public final class TLSCredentials: Sendable {
    /// The end of a migration that shows them.
    public enum Role: String, Sendable {
        /// The source, which connects.
        case client
        /// The destination, which is connected to.
        case server

        /// What the certificate of this end is used for.
        var purpose: TLSError.Purpose {
            switch self {
            case .client: .client
            case .server: .server
            }
        }

        /// What the certificate of the other end is used for.
        var peerPurpose: TLSError.Purpose {
            switch self {
            case .client: .server
            case .server: .client
            }
        }
    }

    /// The file with the authorities that are trusted.
    let authorityPath: String

    /// The end that shows them.
    let role: Role
    private let context: NIOSSLContext

    /// Longest file that is read.
    private static let longestFile = 1 << 20

    /// Reads the files of a folder.
    public init(folder: String, role: Role) throws(TLSError) {
        self.role = role
        let authorityPath = "\(folder)/ca-cert.pem"
        self.authorityPath = authorityPath
        let certificatePath = "\(folder)/\(role.rawValue)-cert.pem"
        let keyPath = "\(folder)/\(role.rawValue)-key.pem"
        let authorities = try Self.certificates(in: authorityPath)
        let chain = try Self.certificates(in: certificatePath)
        let key = try Self.key(in: keyPath)
        try Self.check(authorities, of: authorityPath)
        for certificate in chain {
            guard let problem = certificate.validityProblem else { continue }
            throw .outsideValidity(of: certificatePath, problem)
        }
        if let own = chain.first, own.lacks(role.purpose) {
            throw .wrongPurpose(of: certificatePath, needed: role.purpose)
        }
        do {
            context = try NIOSSLContext(
                configuration: Self.configuration(role, chain, key, authorities))
        } catch NIOSSLError.failedToLoadPrivateKey {
            throw .keyMismatch(certificate: certificatePath, key: keyPath)
        } catch {
            throw .unusable(folder: folder, reason: "\(error)")
        }
    }

    /// An engine for one connection, which has begun its handshake.
    ///
    /// - Parameter serverName: what a client calls the server, if that is a name.
    func newEngine(serverName: String?) throws -> sending TLSEngine {
        switch role {
        case .server:
            return try TLSEngine(NIOSSLServerHandler(context: context))
        case .client:
            // The name is a hint for servers with several certificates; a name that cannot be
            // one is left out, and does not pass the check of names either.
            let handler =
                try (try? NIOSSLClientHandler(context: context, serverHostname: serverName))
                ?? NIOSSLClientHandler(context: context, serverHostname: nil)
            return try TLSEngine(handler)
        }
    }

    private static func configuration(
        _ role: Role, _ chain: [NIOSSLCertificate], _ key: NIOSSLPrivateKey,
        _ authorities: [NIOSSLCertificate]
    ) -> TLSConfiguration {
        var configuration: TLSConfiguration
        switch role {
        case .client:
            configuration = .makeClientConfiguration()
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(key)
            configuration.trustRoots = .certificates(authorities)
        case .server:
            configuration = .makeServerConfigurationWithMTLS(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key),
                trustRoots: .certificates(authorities))
        }
        configuration.minimumTLSVersion = .tlsv13
        // Chains are checked by the library at both ends, names by `PeerNames`.
        configuration.certificateVerification = .noHostnameVerification
        return configuration
    }

    /// Authorities are replaced by having both in the file for a while, so one that is valid will
    /// do.
    private static func check(
        _ authorities: [NIOSSLCertificate], of path: String
    ) throws(TLSError) {
        let problems = authorities.compactMap(\.validityProblem)
        guard problems.count == authorities.count, let problem = problems.first else { return }
        throw .outsideValidity(of: path, problem)
    }

    private static func certificates(in path: String) throws(TLSError) -> [NIOSSLCertificate] {
        let bytes = try read(path)
        let certificates = (try? NIOSSLCertificate.fromPEMBytes(bytes)) ?? []
        guard !certificates.isEmpty else { throw .notPEM(path: path, expected: "certificate") }
        return certificates
    }

    private static func key(in path: String) throws(TLSError) -> NIOSSLPrivateKey {
        let bytes = try read(path)
        guard let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) else {
            throw .notPEM(path: path, expected: "private key without a passphrase")
        }
        return key
    }

    private static func read(_ path: String) throws(TLSError) -> [UInt8] {
        let file: OwnedDescriptor
        do throws(SystemError) {
            // A pipe in the file's place must not make the VMM wait.
            file = try OwnedDescriptor(opening: path, .nonblocking)
        } catch {
            throw .unreadable(path: path, error)
        }
        guard (try? file.regularFileSize) != nil else { throw .notAFile(path: path) }
        do throws(SystemError) {
            return try file.readAll(maximum: longestFile)
        } catch {
            throw .unreadable(path: path, error)
        }
    }
}
