import LinuxSystem
import Logging
import MigrationProtocol
import Transport

/// The door of a destination: finds the main connection among those that arrive, and answers
/// sources in doubt for as long as the listener is open.
struct Reception<Outside: Network>: Sendable {
    let network: Outside
    let listener: Outside.Listener
    let control: IncomingControl
    let logger: Logger

    /// How long a new connection may take to say what it is for, in seconds. Others wait
    /// meanwhile.
    private static var introductionSeconds: Int { 5 }

    /// How long an inquiry waits for the migration's thread to let go, in nanoseconds: 10 s.
    private static var settlingNanoseconds: UInt64 { 10_000_000_000 }

    /// What a new connection turned out to be.
    private enum Visitor {
        /// A main connection, with its first request.
        case source(Request)
        /// It was answered, or is of no use, or went away.
        case dealtWith
    }

    /// Waits for a main connection.
    func awaitSource() throws(MigrationError) -> MessageChannel<Outside.Connection> {
        while true {
            let connection = try accept()
            if case .source(let request) = introduction(of: connection) {
                return MessageChannel(connection, firstRequest: request)
            }
        }
    }

    private func accept() throws(MigrationError) -> Outside.Connection {
        do throws(TransportError) {
            return try listener.accept(
                within: OperationLimits(cancellation: control.cancellation))
        } catch {
            throw MigrationError(error)
        }
    }

    /// Answers whoever comes while the main connection is in use and afterwards, on a thread of
    /// its own, until the listener is closed.
    func serve() throws(SystemError) {
        let reception = self
        try network.spawn("inquiries") {
            while let connection = try? reception.listener.accept(within: OperationLimits()) {
                guard case .source(let request) = reception.introduction(of: connection) else {
                    continue
                }
                reception.refuse(connection, request)
            }
        }
    }

    /// Reads what a connection is for, and deals with all but a main connection.
    private func introduction(of connection: Outside.Connection) -> Visitor {
        let limits = OperationLimits(idleSeconds: Self.introductionSeconds)
        var first: [UInt8] = []
        do {
            try connection.receive(ConnectionRole.byteCount, into: &first, within: limits)
            if case .inquiry? = try? ConnectionRole(decoding: first.span) {
                try answerInquiry(on: connection, within: limits)
            } else if first == Self.startCode {
                var rest: [UInt8] = []
                try connection.receive(
                    Request.byteCount - first.count, into: &rest, within: limits)
                first += rest
                return .source(try Request(decoding: first.span))
            } else {
                logger.warning("a connection from \(connection.peer) is none of a migration")
            }
        } catch {
            logger.debug("a connection went away before it said what it is for: \(error)")
        }
        connection.close(.orderly)
        return .dealtWith
    }

    private static var startCode: [UInt8] { [UInt8](Request(.start).encoded.prefix(2)) }

    private func answerInquiry(
        on connection: Outside.Connection, within limits: OperationLimits
    ) throws {
        var bytes: [UInt8] = []
        try connection.receive(SessionToken.byteCount, into: &bytes, within: limits)
        let token = try SessionToken(decoding: bytes.span)
        var answer: InquiryAnswer
        switch control.inquire(token, at: network.now) {
        case .answer(let known): answer = known
        case .discardAndAnswer(let decided): answer = decided
        }
        // "Returned" means that nothing is bound here any more.
        if case .returned = answer, !waitUntilSettled() { answer = .unknown }
        logger.notice("a source inquired after its guest; the answer is \(answer)")
        try connection.send(answer.answer.encoded, within: limits)
    }

    private func waitUntilSettled() -> Bool {
        let end = network.now.advanced(byNanoseconds: Self.settlingNanoseconds)
        while !control.isSettled {
            guard network.now < end else { return false }
            network.sleep(
                until: network.now.advanced(byNanoseconds: 5_000_000), unless: nil)
        }
        return true
    }

    private func refuse(_ connection: Outside.Connection, _ request: Request) {
        let answer = DestinationProtocol.refusal(
            of: request, because: "another migration uses this destination")
        do throws(TransportError) {
            try connection.send(
                answer.encoded, within: OperationLimits(idleSeconds: Self.introductionSeconds))
        } catch {
            logger.debug("a second source went away: \(error)")
        }
        connection.close(.orderly)
    }
}
