import LinuxSystem
internal import NIOCore
internal import NIOSSL
internal import Transport

/// Finds out what is wrong when a connection fails.
///
/// The library tells little of what it found wrong with a certificate, so that is looked at again.
/// Its error texts end in BoringSSL's names of reasons (`ssl.errordata`) and are searched for
/// those; names of alerts are those of RFC 8446 section 6.2.
struct TLSDiagnosis: Sendable {
    /// How messages call the other end.
    let peer: String
    /// The file with the authorities that this end trusts.
    let authority: String
    /// What the other end's certificate is used for.
    let purpose: TLSError.Purpose

    /// What ended a connection; nil when nothing has.
    func failure(of engine: TLSEngine) -> TransportError? {
        guard let error = engine.failure else { return nil }
        if let cause = tlsError(error, engine.peerCertificate, engine.isEstablished) {
            return .tls(cause)
        }
        return .truncated(peer: peer)
    }

    private func tlsError(
        _ error: any Error, _ certificate: NIOSSLCertificate?, _ isEstablished: Bool
    ) -> TLSError? {
        if case NIOSSLError.uncleanShutdown = error { return nil }
        if case NIOSSLError.handshakeFailed(.sslError([.eofDuringHandshake])) = error {
            return .endedInHandshake(peer: peer)
        }
        let text = "\(error)"
        func says(_ reasons: String...) -> Bool { reasons.contains { text.contains($0) } }
        if says("PEER_DID_NOT_RETURN_A_CERTIFICATE") { return .noCertificate(peer: peer) }
        if says("CERTIFICATE_VERIFY_FAILED") { return certificateError(certificate) }
        if says("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL") { return .oldVersion(peer: peer) }
        if let reason = Self.refusal(in: text) {
            return .refusedByPeer(peer: peer, reason: reason)
        }
        let isGarbage = says(
            "WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNEXPECTED_RECORD",
            "UNEXPECTED_MESSAGE", "INVALID_OUTER_RECORD_TYPE", "RECORD_TOO_LARGE",
            "ENCRYPTED_LENGTH_TOO_LONG", "EXCESSIVE_MESSAGE_SIZE")
        if !isEstablished, isGarbage { return .plainPeer(peer: peer) }
        return .failed(peer: peer, reason: Self.shortened(text))
    }

    private func certificateError(_ certificate: NIOSSLCertificate?) -> TLSError {
        guard let certificate else { return .noCertificate(peer: peer) }
        if let validity = certificate.validityProblem {
            return .outsideValidity(of: peer, validity)
        }
        if certificate.lacks(purpose) { return .wrongPurpose(of: peer, needed: purpose) }
        let issuer = certificate.issuerName.map(\.value).joined(separator: ", ")
        return .untrusted(peer: peer, issuer: issuer, authority: authority)
    }

    /// What the peer's alert says about the certificate of this end.
    private static func refusal(in text: String) -> String? {
        let reasons = [
            ("ALERT_UNKNOWN_CA", "it does not know the authority that issued it"),
            ("ALERT_CERTIFICATE_EXPIRED", "it is expired or not valid yet"),
            ("ALERT_CERTIFICATE_REQUIRED", "there is none"),
            ("ALERT_CERTIFICATE_REVOKED", "it was revoked"),
            ("ALERT_UNSUPPORTED_CERTIFICATE", "it is of a kind that cannot be used"),
            ("ALERT_CERTIFICATE_UNKNOWN", "something is wrong with it"),
            ("ALERT_BAD_CERTIFICATE", "something is wrong with it"),
            ("ALERT_ACCESS_DENIED", "it does not give access"),
        ]
        return reasons.first { text.contains($0.0) }?.1
    }

    /// The reason alone, without places in the library's sources.
    private static func shortened(_ text: String) -> String {
        guard let start = text.firstRange(of: "OPENSSL_internal:") else { return text }
        return String(text[start.upperBound...].prefix { $0 != " " && $0 != ")" })
    }
}

extension NIOSSLCertificate {
    /// What is wrong with the time in which it is valid; nil when it is valid now.
    var validityProblem: TLSError.Validity? {
        let now = Int(RealtimeClock.nanoseconds / 1_000_000_000)
        if now > notValidAfter { return .expired(secondsAgo: now - notValidAfter) }
        if now < notValidBefore { return .notYet(inSeconds: notValidBefore - now) }
        return nil
    }

    /// Whether the certificate lists what it may be used for, and this is not on the list.
    ///
    /// The library checks it and does not say so. Object identifiers have one form in a
    /// certificate (DER), so looking for their bytes is enough to name a cause.
    func lacks(_ purpose: TLSError.Purpose) -> Bool {
        guard let bytes = try? toDERBytes() else { return false }
        // RFC 5280 section 4.2.1.12: id-ce-extKeyUsage is 2.5.29.37; id-kp-serverAuth and
        // id-kp-clientAuth are 1.3.6.1.5.5.7.3.1 and .2.
        let list: [UInt8] = [0x06, 3, 0x55, 0x1D, 0x25]
        let last: UInt8 = purpose == .server ? 1 : 2
        let entry: [UInt8] = [0x06, 8, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, last]
        return bytes.firstRange(of: list) != nil && bytes.firstRange(of: entry) == nil
    }
}
