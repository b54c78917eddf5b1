public import LinuxSystem
internal import NIOCore
internal import NIOSSL
import Synchronization
public import Transport

/// A channel over TLS 1.3 on a TCP socket.
///
/// Memory passes through bounded buffers, a part at a time, because it is encrypted on its way.
/// One thread may send while another receives: the engine is locked only while bytes are
/// transformed, never while the socket is waited for. The stream ends with close_notify; without
/// it, an end is a cut (RFC 8446 section 6.1), also between two messages.
public final class TLSChannel: Transport.Channel {
    /// Who is at the other end.
    public var peer: String { line.peer }

    /// Descriptors cannot be passed.
    public var passesDescriptors: Bool { false }

    /// Processes of other hosts cannot be watched.
    public var peerHasEnded: Bool? { nil }

    /// Why the peer's certificate, which is genuine, does not let it in.
    public var refusal: String? { refused.withLock { $0 } }

    private let line: LimitedSocket
    private let engine: Mutex<TLSEngine>
    private let diagnosis: TLSDiagnosis
    private let refused = Mutex<String?>(nil)

    /// A channel whose handshake is to follow.
    init(
        _ socket: consuming StreamSocket, peer: String, credentials: TLSCredentials,
        serverName: String?
    ) throws(TransportError) {
        diagnosis = TLSDiagnosis(
            peer: peer, authority: credentials.authorityPath,
            purpose: credentials.role.peerPurpose)
        do {
            engine = Mutex(try credentials.newEngine(serverName: serverName))
        } catch {
            throw .tls(.failed(peer: peer, reason: "\(error)"))
        }
        line = LimitedSocket(socket, peer: peer)
    }

    /// Sends the head, then the content, a part at a time.
    public func send(
        _ head: [UInt8], _ content: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        var headDone = 0
        var position = SegmentPosition()
        var pace = MessagePace()
        repeat {
            let records = engine.withLock { engine in
                engine.isSending = true
                engine.protect { output in
                    headDone = output.append(head, from: headDone)
                    position.stage(content, into: &output)
                }
                return engine.takeRecords()
            }
            // Without a failure, whatever is protected becomes records.
            guard let records else {
                if head.isEmpty, content.allSatisfy({ $0.count == 0 }) { break }
                throw failure ?? .truncated(peer: peer)
            }
            try transmit(records, &pace, within: limits)
        } while headDone < head.count || !position.isAtEnd(of: content)
        engine.withLock { $0.isSending = false }
    }

    /// Writes records to the network.
    private func transmit(
        _ records: consuming ByteBuffer, _ pace: inout MessagePace,
        within limits: OperationLimits
    ) throws(TransportError) {
        var rest = records
        while rest.readableBytes > 0 {
            do throws(TransportError) {
                let count = try line.step(
                    .writable, within: pace.applied(to: limits), isAnswer: hasAnswer
                ) { () throws(SystemError) in
                    try line.socket.sendAvailable(rest.readableBytesSpan)
                }
                rest.moveReaderIndex(forwardBy: count)
                pace.note(count, within: limits)
            } catch {
                // A connection that broke may have been refused: the alert came before the end.
                guard case .truncated = error else { throw error }
                _ = try? acceptAvailable()
                throw failure ?? error
            }
        }
    }

    /// Whether the peer has sent something for the application, or ended its stream.
    private func hasAnswer() throws(TransportError) -> Bool {
        let progress = try acceptAvailable()
        if let failure { throw failure }
        if progress == .endOfStream { return true }
        return engine.withLock { $0.available > 0 || $0.peerHasEnded }
    }

    /// Sending descriptors is for UNIX sockets.
    public func send(
        _ bytes: [UInt8], with descriptor: borrowing OwnedDescriptor,
        within limits: OperationLimits
    ) throws(TransportError) {
        throw .descriptorsUnsupported(peer: peer)
    }

    /// Receives exactly `count` bytes.
    public func receive(
        _ count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) {
        buffer.removeAll(keepingCapacity: true)
        var pace = MessagePace()
        while true {
            let before = buffer.count
            engine.withLock { engine in
                engine.takeReceived { bytes in buffer.append(bytes, upTo: count) }
            }
            if buffer.count >= count { return }
            if buffer.count > before { pace.note(buffer.count - before, within: limits) }
            try acceptMore(isFirst: buffer.isEmpty, within: pace.applied(to: limits))
        }
    }

    /// Receives into memory, a part at a time.
    public func receive(
        into segments: [MemorySegment], within limits: OperationLimits
    ) throws(TransportError) {
        var position = SegmentPosition()
        var pace = MessagePace()
        while !position.isAtEnd(of: segments) {
            let available = engine.withLock { engine in
                let available = engine.available
                engine.takeReceived { bytes in position.unstage(bytes, into: segments) }
                return available
            }
            if position.isAtEnd(of: segments) { return }
            if available > 0 { pace.note(available, within: limits) }
            try acceptMore(isFirst: false, within: pace.applied(to: limits))
        }
    }

    /// Receiving descriptors is for UNIX sockets.
    public func receiveDescriptor(
        with count: Int, into buffer: inout [UInt8], within limits: OperationLimits
    ) throws(TransportError) -> OwnedDescriptor {
        throw .descriptorsUnsupported(peer: peer)
    }

    /// Waits until more has come from the peer. A record of which bytes drip brings nothing before
    /// it is whole, which has to be in the time that a silent peer has.
    ///
    /// - Parameter isFirst: whether an end of stream falls between two messages.
    private func acceptMore(isFirst: Bool, within limits: OperationLimits) throws(TransportError) {
        var limits = limits
        limits.messageEnd = min(
            limits.wholeEnd(from: .now), limits.messageEnd ?? .distantFuture)
        while engine.withLock({ $0.available == 0 }) {
            if let failure { throw failure }
            if engine.withLock({ $0.peerHasEnded }) {
                throw isFirst ? .closed(peer: peer) : .truncated(peer: peer)
            }
            try line.step(.readable, within: limits) { () throws(SystemError) in
                try engine.withLock { (engine) throws(SystemError) in
                    try engine.accept { (output) throws(SystemError) in
                        try line.socket.receiveAvailable(into: &output)
                    }
                }
            }
        }
    }

    /// Takes in what is there; does not wait.
    @discardableResult
    private func acceptAvailable() throws(TransportError) -> TransferProgress {
        do throws(SystemError) {
            return try engine.withLock { (engine) throws(SystemError) in
                // What is there already is enough of an answer; more would be kept in memory.
                guard engine.available == 0 else { return .wouldWait }
                return try engine.accept { (output) throws(SystemError) in
                    try line.socket.receiveAvailable(into: &output)
                }
            }
        } catch {
            throw line.failure(error, within: OperationLimits())
        }
    }

    /// What ended the connection, when something has.
    private var failure: TransportError? {
        engine.withLock { diagnosis.failure(of: $0) }
    }

    /// Ends the stream.
    public func close(_ manner: ClosingManner) {
        if manner == .orderly { sendPending { $0.endStream() } }
        line.close(manner)
    }

    /// Sends what the engine has to say, as far as it fits: nobody waits for a peer that reads
    /// nothing.
    private func sendPending(after action: (TLSEngine) -> Void) {
        let records = engine.withLock { engine in
            action(engine)
            return engine.isSending ? nil : engine.takeRecords()
        }
        guard let records else { return }
        _ = try? line.socket.sendAvailable(records.readableBytesSpan)
    }

    /// The buffers' capacity, for tests of their bound.
    var bufferedCapacity: Int { engine.withLock { $0.bufferedCapacity } }
}

/// The handshake.
extension TLSChannel {
    /// How long a handshake may take, in seconds.
    public static let handshakeSeconds = 10

    /// Makes the connection a protected one. Both ends check each other's certificates.
    ///
    /// - Parameter check: looks at the peer's names.
    func handshake(
        within limits: OperationLimits, check: (PeerNames) -> NameCheck
    ) throws(TransportError) {
        var bounded = limits
        let end = MonotonicInstant.now.advanced(
            byNanoseconds: UInt64(Self.handshakeSeconds) * 1_000_000_000)
        bounded.deadline = min(end, limits.deadline ?? .distantFuture)
        do throws(TransportError) {
            try exchange(within: bounded)
        } catch {
            // The alert that says why.
            sendPending { _ in }
            switch error {
            case .deadlinePassed where end.hasPassed:
                throw .tls(.slowHandshake(peer: peer, seconds: Self.handshakeSeconds))
            case .truncated, .closed: throw .tls(.endedInHandshake(peer: peer))
            default: throw error
            }
        }
        switch engine.withLock({ check(PeerNames($0.peerCertificate)) }) {
        case .passed: break
        case .failed(let error): throw .tls(error)
        case .refused(let error): refused.withLock { $0 = error.description }
        }
    }

    private func exchange(within limits: OperationLimits) throws(TransportError) {
        while true {
            let records = engine.withLock { $0.takeRecords() }
            if let failure {
                if let records { _ = try? line.socket.sendAvailable(records.readableBytesSpan) }
                throw failure
            }
            if let records {
                try transmitInHandshake(records, within: limits)
            } else if engine.withLock({ $0.isEstablished }) {
                return
            } else {
                try line.step(.readable, within: limits) { () throws(SystemError) in
                    try engine.withLock { (engine) throws(SystemError) in
                        try engine.accept { (output) throws(SystemError) in
                            try line.socket.receiveAvailable(into: &output)
                        }
                    }
                }
            }
        }
    }

    /// Writes records; what the peer says meanwhile belongs to the handshake.
    private func transmitInHandshake(
        _ records: consuming ByteBuffer, within limits: OperationLimits
    ) throws(TransportError) {
        var rest = records
        while rest.readableBytes > 0 {
            let count = try line.step(
                .writable, within: limits, isAnswer: { () throws(TransportError) in false }
            ) { () throws(SystemError) in
                try line.socket.sendAvailable(rest.readableBytesSpan)
            }
            rest.moveReaderIndex(forwardBy: count)
        }
    }
}
