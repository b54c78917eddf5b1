import LinuxSystem

/// One client: its socket, what it has sent, and what it has still to be sent. Nothing here waits.
/// It belongs to the server's thread.
final class Connection {
    /// What the server does after the connection has moved on.
    enum Step {
        /// Wait for what `interest` says.
        case wait
        /// Carry out a call; its reply comes to `complete`.
        case call(APICall)
        /// The connection is over.
        case close
    }

    private enum Phase {
        /// Receiving a request, or waiting for one to begin.
        case receiving
        /// A call is being carried out.
        case calling
        /// The client takes its answer.
        case sending
    }

    let socket: StreamSocket
    /// When the connection is closed if nothing happens; nil while the VMM is the one to act.
    private(set) var deadline: MonotonicInstant?
    private let limits: ServerLimits
    private let parser: RequestParser
    private var descriptors = ReceivedDescriptors()
    private var phase = Phase.receiving
    private var output: [UInt8] = []
    private var outputSent = 0
    private var closesAfterOutput = false
    private var keepsAlive = true

    init(_ socket: consuming StreamSocket, limits: ServerLimits) {
        self.socket = socket
        self.limits = limits
        parser = RequestParser(limits: limits.request)
        deadline = .after(milliseconds: limits.idleMilliseconds)
    }

    /// What to wait for.
    var interest: Readiness {
        switch phase {
        case .receiving: .readable
        case .calling: []
        case .sending: .writable
        }
    }

    /// Moves on after the socket has become ready.
    func advance(_ readiness: Readiness, buffer: inout [UInt8]) -> Step {
        switch phase {
        case .receiving:
            return receive(&buffer)
        case .calling:
            // Asked for nothing, so the client is gone, and nobody is there to be answered.
            return readiness.isDisjoint(with: [.hungUp, .failed]) ? .wait : .close
        case .sending:
            return proceed()
        }
    }

    /// Takes the answer of the call that is being carried out.
    func complete(_ response: APIResponse) -> Step {
        guard case .calling = phase else { return .wait }
        answer(response)
        return proceed()
    }

    /// Answers a client for which there is no room, as far as that goes without waiting.
    func refuse(_ failure: APIFailure) {
        closesAfterOutput = true
        answer(.failure(failure))
        _ = flush()
    }

    private func receive(_ buffer: inout [UInt8]) -> Step {
        let before = descriptors.count
        let count: Int
        do throws(SystemError) {
            var span = buffer.mutableSpan
            count = try socket.receive(into: &span, descriptors: &descriptors, deadline: .now)
        } catch {
            switch error.errno {
            case .timedOut: return .wait
            case .messageTooLong:
                return refuseDescriptors("More descriptors came than a request takes")
            default: return .close
            }
        }
        guard count > 0 else { return .close }
        let wasIdle = !parser.isAmidRequest
        parser.feed(buffer[..<count])
        if descriptors.count > before && isAmbiguous {
            return refuseDescriptors("Descriptors came with the bytes of two requests")
        }
        if wasIdle { deadline = .after(milliseconds: limits.requestMilliseconds) }
        if parser.takeExpectsContinue() { output += Array("HTTP/1.1 100 Continue\r\n\r\n".utf8) }
        return proceed()
    }

    /// Whether bytes of more than one request came together, so that it is not known whose the
    /// descriptors are that came with them.
    private var isAmbiguous: Bool {
        parser.completeCount > 1 || (parser.completeCount == 1 && parser.isAmidRequest)
    }

    /// Sends what can be sent, and turns to the next request once all is sent.
    private func proceed() -> Step {
        while true {
            guard flush() else { return .close }
            guard output.isEmpty else {
                if case .sending = phase { return .wait }
                phase = .sending
                deadline = .after(milliseconds: limits.requestMilliseconds)
                return .wait
            }
            if closesAfterOutput { return .close }
            do throws(APIFailure) {
                guard let request = try parser.next() else {
                    waitForRequest()
                    return .wait
                }
                if let call = decode(request) {
                    phase = .calling
                    deadline = nil
                    return .call(call)
                }
            } catch {
                refuseInput(error)
            }
        }
    }

    /// The call of a request, or nil after answering one that is refused.
    private func decode(_ request: HTTPRequest) -> APICall? {
        keepsAlive = request.keepsAlive
        let passed = descriptors.count
        descriptors = ReceivedDescriptors()
        do throws(APIFailure) {
            guard passed == 0 else {
                throw APIFailure(
                    .badRequest, "\(request.path) takes no descriptors, and \(passed) were passed")
            }
            return try APICall(request)
        } catch {
            answer(.failure(error))
            return nil
        }
    }

    private func waitForRequest() {
        switch (phase, parser.isAmidRequest) {
        case (.receiving, true): break  // its time runs already
        case (_, true): deadline = .after(milliseconds: limits.requestMilliseconds)
        case (_, false): deadline = .after(milliseconds: limits.idleMilliseconds)
        }
        phase = .receiving
    }

    /// Answers, and closes after it: where the next request would begin is not known.
    private func refuseInput(_ failure: APIFailure) {
        descriptors = ReceivedDescriptors()
        closesAfterOutput = true
        answer(.failure(failure))
    }

    private func refuseDescriptors(_ reason: String) -> Step {
        refuseInput(APIFailure(.badRequest, reason))
        return proceed()
    }

    private func answer(_ response: APIResponse) {
        closesAfterOutput = closesAfterOutput || !keepsAlive
        output += response.bytes(keepsAlive: !closesAfterOutput)
    }

    /// Sends what can be sent.
    /// - Returns: Whether the client is still there.
    private func flush() -> Bool {
        let bytes = output
        while outputSent < bytes.count {
            do throws(SystemError) {
                let rest = bytes.span.extracting(droppingFirst: outputSent)
                outputSent += try socket.send(rest, deadline: .now)
            } catch {
                return error.errno == .timedOut
            }
        }
        output = []
        outputSent = 0
        return true
    }
}
