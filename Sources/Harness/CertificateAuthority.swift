public import LinuxSystem
import Synchronization

/// An authority which issues certificates for tests and benchmarks, with the openssl command.
///
/// It is what `docs/operations.md` tells users to make, with keys on the P-256 curve.
public final class CertificateAuthority: Sendable {
    private let folder: TemporaryFolder
    /// openssl keeps an index of what it has issued, which one call at a time may change.
    private let isIssuing = Mutex(())

    private var keyPath: String { "\(folder.path)/ca-key.pem" }
    private var certificatePath: String { "\(folder.path)/ca-cert.pem" }

    /// How long one call of openssl may take, in milliseconds.
    private static let patience = 20_000

    /// An authority of its own.
    public init(name: String = "Martlet test authority") throws(SystemError) {
        folder = try TemporaryFolder(prefix: "martlet-ca")
        try Self.write(Self.configuration(folder.path), to: "\(folder.path)/ca.conf")
        try Self.write("", to: "\(folder.path)/index")
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", keyPath, "-out", certificatePath, "-days", "7", "-subj", "/CN=\(name)")
    }

    /// A folder for `tls_dir` with certificates of this authority, for both ends.
    ///
    /// - Parameter trusted: whose certificates the holder of the folder accepts; nil for this one.
    public func issue(
        server: TestCertificate = TestCertificate(), client: TestCertificate = TestCertificate(),
        trusting trusted: CertificateAuthority? = nil
    ) throws(SystemError) -> TLSFolder {
        let result = TLSFolder(try TemporaryFolder(prefix: "martlet-tls"))
        try isIssuing.withLock { _ throws(SystemError) in
            try issue(server, as: "server", into: result)
            try issue(client, as: "client", into: result)
        }
        let authority = try OwnedDescriptor(opening: (trusted ?? self).certificatePath)
        let bytes = try authority.readAll(maximum: 1 << 16)
        try result.write(String(decoding: bytes, as: UTF8.self), to: "ca-cert.pem")
        return result
    }

    private func issue(
        _ certificate: TestCertificate, as role: String, into target: TLSFolder
    ) throws(SystemError) {
        let request = "\(folder.path)/request.pem"
        var words = [
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", target.path("\(role)-key.pem"), "-out", request,
            "-subj", "/CN=\(certificate.commonName)",
        ]
        if !certificate.names.isEmpty {
            words += ["-addext", "subjectAltName=\(certificate.names.joined(separator: ","))"]
        }
        if let usage = certificate.usage { words += ["-addext", "extendedKeyUsage=\(usage)"] }
        try openssl(words)
        try openssl(
            "ca", "-batch", "-notext", "-config", "\(folder.path)/ca.conf",
            "-startdate", certificate.start, "-enddate", certificate.end, "-in", request,
            "-out", target.path("\(role)-cert.pem"))
    }

    private func openssl(_ words: String...) throws(SystemError) {
        try openssl(words)
    }

    private func openssl(_ words: [String]) throws(SystemError) {
        let run = try CommandRun(
            path: "/usr/bin/openssl", arguments: words, folder: folder.path,
            deadline: .after(milliseconds: Self.patience))
        guard run.status == .exited(0) else {
            throw SystemError("run openssl", words[0], .invalidArgument, advice: run.errors)
        }
    }

    fileprivate static func write(_ text: String, to path: String) throws(SystemError) {
        let file = try OwnedDescriptor(opening: path, [.write, .create, .truncate])
        try file.writeAll(Array(text.utf8))
    }

    /// What `openssl ca` wants to be told; with it, unlike with `openssl x509`, the time in which
    /// a certificate is valid can be chosen.
    private static func configuration(_ folder: String) -> String {
        """
        [ca]
        default_ca = test
        [test]
        new_certs_dir = \(folder)
        database = \(folder)/index
        certificate = \(folder)/ca-cert.pem
        private_key = \(folder)/ca-key.pem
        default_md = sha256
        rand_serial = yes
        policy = any
        unique_subject = no
        copy_extensions = copy
        [any]
        commonName = supplied
        """
    }
}

/// What a certificate says.
public struct TestCertificate: Sendable {
    /// The common name.
    public var commonName = "martlet"
    /// The subject alternative names, as openssl writes them: `IP:127.0.0.1`, `DNS:localhost`.
    public var names = ["IP:127.0.0.1", "DNS:localhost"]
    /// The extended key usage, as openssl writes it; nil for any.
    public var usage: String?
    /// From when on it is valid: `YYYYMMDDHHMMSSZ`.
    public var start = "20200101000000Z"
    /// Until when it is valid.
    public var end = "20990101000000Z"

    /// For loopback, valid.
    public init() {}

    /// For other names.
    public init(names: [String], commonName: String = "martlet") {
        self.names = names
        self.commonName = commonName
    }

    /// For certain uses.
    public init(usage: String) {
        self.usage = usage
    }

    /// No longer valid.
    public static var expired: TestCertificate {
        var certificate = TestCertificate()
        certificate.end = "20200102000000Z"
        return certificate
    }

    /// Not valid yet.
    public static var future: TestCertificate {
        var certificate = TestCertificate()
        certificate.start = "20980101000000Z"
        return certificate
    }
}

/// A folder for `tls_dir`, which is removed when its owner goes.
public final class TLSFolder: Sendable {
    private let folder: TemporaryFolder

    init(_ folder: TemporaryFolder) {
        self.folder = folder
    }

    /// Its path.
    public var path: String { folder.path }

    /// The path of a file in it.
    public func path(_ file: String) -> String { "\(folder.path)/\(file)" }

    /// Writes a file in it, or replaces one.
    public func write(_ text: String, to file: String) throws(SystemError) {
        try CertificateAuthority.write(text, to: path(file))
    }

    /// Replaces a file in it with the one of another folder.
    public func copy(
        _ source: String, of other: TLSFolder, to file: String
    ) throws(SystemError) {
        let bytes = try OwnedDescriptor(opening: other.path(source)).readAll(maximum: 1 << 16)
        try write(String(decoding: bytes, as: UTF8.self), to: file)
    }

    /// Removes a file in it.
    public func remove(_ file: String) {
        folder.remove(file)
    }
}
