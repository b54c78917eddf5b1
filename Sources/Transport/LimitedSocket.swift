package import LinuxSystem

/// A connected socket whose waits honour limits: what channels over sockets are made of.
///
/// Every wait is for the socket, the limits and the cancellation at once, so a silent peer and a
/// request to stop are noticed wherever a channel stands.
package struct LimitedSocket: ~Copyable, Sendable {
    /// The socket, for transfers that do not wait.
    package let socket: StreamSocket

    /// How messages call the other end.
    package let peer: String

    /// How long an orderly close waits for the peer's end of stream, in nanoseconds: 1 s.
    package static let lingerNanoseconds: UInt64 = 1_000_000_000

    /// Takes over a connected socket.
    package init(_ socket: consuming StreamSocket, peer: String) {
        self.socket = socket
        self.peer = peer
    }

    /// Moves at least one byte.
    ///
    /// - Parameters:
    ///   - isFirst: whether an end of stream falls between two messages.
    ///   - isAnswer: whether what can be read while writing is waited for is an answer.
    @discardableResult
    package func step(
        _ readiness: Readiness, isFirst: Bool = false, within limits: OperationLimits,
        isAnswer: () throws(TransportError) -> Bool = { true },
        _ transfer: () throws(SystemError) -> TransferProgress
    ) throws(TransportError) -> Int {
        while true {
            try checkLimits(limits)
            let progress: TransferProgress
            do throws(SystemError) {
                progress = try transfer()
            } catch {
                throw failure(error, within: limits)
            }
            switch progress {
            case .moved(let count): return count
            case .endOfStream: throw isFirst ? .closed(peer: peer) : .truncated(peer: peer)
            case .wouldWait: try waitUntilReady(readiness, within: limits, isAnswer: isAnswer)
            }
        }
    }

    /// - Throws: when the limits are reached whether bytes move or not.
    package func checkLimits(_ limits: OperationLimits) throws(TransportError) {
        if let request = limits.cancellation?.request, request.graceEnd.hasPassed {
            throw .cancelled(reason: request.reason)
        }
        if let deadline = limits.deadline, deadline.hasPassed {
            throw .deadlinePassed(peer: peer)
        }
    }

    /// Waits for the socket, as long as the limits allow.
    package func waitUntilReady(
        _ readiness: Readiness, within limits: OperationLimits,
        isAnswer: () throws(TransportError) -> Bool = { true }
    ) throws(TransportError) {
        // Whoever sends also looks for an answer: one that nobody expects refuses the rest.
        let looksForAnswer = readiness == .writable && !limits.expectsAnswers
        let wanted = looksForAnswer ? [.writable, .readable] : readiness
        let start = MonotonicInstant.now
        while true {
            // The end is asked for anew, because a cancellation brings it nearer.
            let end = limits.end(from: start)
            let found: Readiness
            do throws(SystemError) {
                found = try wait(for: wanted, until: end, limits.cancellation)
            } catch {
                throw failure(error, within: limits)
            }
            var isReady = !found.isEmpty
            if looksForAnswer, found.contains(.readable), !found.contains(.hungUp) {
                if try isAnswer() { throw .answeredEarly(peer: peer) }
                isReady = found != .readable
            }
            if isReady { return }
            let now = MonotonicInstant.now
            if limits.end(from: start) <= now { throw limits.expiry(at: now, peer: peer) }
        }
    }

    private func wait(
        for readiness: Readiness, until end: MonotonicInstant, _ cancellation: Cancellation?
    ) throws(SystemError) -> Readiness {
        // Once requested, its event is no news any more; the limits' end is.
        guard let cancellation, cancellation.request == nil else {
            return try socket.descriptor.wait(forAny: readiness, deadline: end)
        }
        return try socket.descriptor.wait(
            forAny: readiness, unless: cancellation.event, deadline: end)
    }

    /// What an error of the kernel means for the connection.
    package func failure(
        _ error: SystemError, within limits: OperationLimits
    ) -> TransportError {
        switch error.errno {
        case .connectionReset, .brokenPipe: .truncated(peer: peer)
        case .messageTooLong: .unexpectedDescriptors(peer: peer)
        case .timedOut: limits.expiry(at: .now, peer: peer)
        default: .system(peer: peer, error)
        }
    }

    /// Ends the stream.
    package func close(_ manner: ClosingManner) {
        switch manner {
        case .abrupt: socket.abort()
        case .orderly:
            socket.shutdown(.sending)
            drain()
            socket.shutdown()
        }
    }

    /// Drops what the peer still sends, until it ends or the time is over. The buffer's size only
    /// sets how many calls that takes.
    private func drain() {
        let end = MonotonicInstant.now.advanced(byNanoseconds: LimitedSocket.lingerNanoseconds)
        var dropped = [UInt8](repeating: 0, count: 256 << 10)
        while !end.hasPassed {
            do throws(SystemError) {
                switch try socket.receiveAvailable(into: &dropped, from: 0) {
                case .moved: continue
                case .endOfStream: return
                case .wouldWait: try socket.descriptor.wait(for: .readable, deadline: end)
                }
            } catch {
                return
            }
        }
    }
}
