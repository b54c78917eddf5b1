public import LinuxSystem

/// Calls a VMM over its API socket. Each call opens a connection of its own and waits for the
/// answer, so calls of several threads do not wait for each other.
public struct APIClient: Sendable {
    /// Path of the socket.
    public let path: String

    /// A client of the VMM that listens at `path`.
    public init(path: String) {
        self.path = path
    }

    /// Makes a call.
    /// - Parameters:
    ///   - body: JSON, empty for none.
    ///   - descriptors: Numbers that stay open during the call; the VMM gets copies of them.
    ///   - deadline: When to give up; nil for never, which is right for `receiveMigration` only.
    /// - Returns: The body of the answer.
    public func call(
        _ endpoint: Endpoint, body: [UInt8] = [], descriptors: [Int32] = [],
        deadline: MonotonicInstant?
    ) throws(APIClientError) -> [UInt8] {
        let socket: StreamSocket
        let parser = ResponseParser()
        let request: [UInt8]
        do {
            request = try parser.request(endpoint, body: body)
        } catch {
            throw .unexpectedAnswer(path: path, reason: "\(error)")
        }
        do throws(SystemError) {
            socket = try StreamSocket.connect(path: path, deadline: deadline)
        } catch {
            throw .connection(error)
        }
        // A server that refuses the request may close before it has read all of it, but has
        // answered then: its answer says more than the broken connection.
        let failure = send(request, descriptors, to: socket, deadline)
        let response = try receive(from: socket, parser, after: failure, deadline)
        guard (200..<300).contains(response.status) else {
            throw .refused(status: response.status, reasons: reasons(response))
        }
        return response.body
    }

    private func send(
        _ request: [UInt8], _ descriptors: [Int32], to socket: borrowing StreamSocket,
        _ deadline: MonotonicInstant?
    ) -> SystemError? {
        do throws(SystemError) {
            if descriptors.isEmpty {
                try socket.sendAll(request.span, deadline: deadline)
            } else {
                try socket.sendAll(request.span, descriptors: descriptors, deadline: deadline)
            }
            return nil
        } catch {
            return error
        }
    }

    private func receive(
        from socket: borrowing StreamSocket, _ parser: ResponseParser, after failure: SystemError?,
        _ deadline: MonotonicInstant?
    ) throws(APIClientError) -> (status: Int, body: [UInt8]) {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            if let response = parser.response { return response }
            let count: Int
            do throws(SystemError) {
                var span = buffer.mutableSpan
                count = try socket.receive(into: &span, deadline: deadline)
            } catch {
                throw .connection(failure ?? error)
            }
            guard count > 0 else {
                throw failure.map(APIClientError.connection) ?? .closed(path: path)
            }
            if let reason = parser.feed(buffer[..<count]) {
                throw .unexpectedAnswer(path: path, reason: reason)
            }
        }
    }

    /// The texts of a failure, or what there is instead.
    private func reasons(_ response: (status: Int, body: [UInt8])) -> [String] {
        let texts = try? JSONBody.decode([String].self, from: response.body)
        guard let texts, !texts.isEmpty else { return ["The VMM answered \(response.status)"] }
        return texts
    }
}
