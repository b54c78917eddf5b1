/// The duty to answer one call, exactly once, from any thread and at any later time. A reply that
/// is dropped answers 500, so that no client waits for ever.
public struct APIReply: ~Copyable, Sendable {
    private let send: @Sendable (APIResponse) -> Void
    private var isCompleted = false

    /// A reply that hands its answer to `send`.
    public init(_ send: @escaping @Sendable (APIResponse) -> Void) {
        self.send = send
    }

    deinit {
        if !isCompleted {
            send(.failure(APIFailure(.internalError, "The VMM dropped the call without an answer")))
        }
    }

    /// It worked, and there is nothing to say (204).
    public consuming func succeed() {
        complete(.noContent)
    }

    /// It worked and is the last call (200 without a body): the answer of `vmm.shutdown`.
    public consuming func succeedAndEnd() {
        complete(.empty)
    }

    /// It worked (200).
    /// - Parameter object: The body.
    public consuming func succeed(with object: some Encodable) {
        complete(.json(JSONBody.encode(object)))
    }

    /// It worked (200), and there are figures.
    public consuming func succeed(with page: MetricsPage) {
        complete(.metrics(Array(page.text.utf8)))
    }

    /// It did not work.
    public consuming func fail(_ failure: APIFailure) {
        complete(.failure(failure))
    }

    private consuming func complete(_ response: APIResponse) {
        isCompleted = true
        send(response)
    }
}

/// The answer to a call.
public enum APIResponse: Equatable, Sendable {
    /// 204.
    case noContent
    /// 200 without a body.
    case empty
    /// 200 with a JSON body.
    case json([UInt8])
    /// 200 with figures for Prometheus.
    case metrics([UInt8])
    /// A failure, whose body is an array of texts.
    case failure(APIFailure)

    /// The response as bytes.
    /// - Parameter keepsAlive: Whether the client may send another request on the connection.
    func bytes(keepsAlive: Bool) -> [UInt8] {
        var head = "HTTP/1.1 \(statusLine)\r\nServer: Martlet API\r\n"
        head += "Connection: \(keepsAlive ? "keep-alive" : "close")\r\n"
        var body: [UInt8] = []
        var type = "application/json"
        switch self {
        case .noContent: break  // RFC 9110: a 204 has no Content-Length
        case .empty: head += "Content-Length: 0\r\n"
        case .json(let bytes): body = bytes
        case .metrics(let bytes): (body, type) = (bytes, MetricsPage.contentType)
        case .failure(let failure): body = JSONBody.encode(failure.reasons)
        }
        if !body.isEmpty {
            head += "Content-Type: \(type)\r\nContent-Length: \(body.count)\r\n"
        }
        return Array((head + "\r\n").utf8) + body
    }

    private var statusLine: String {
        switch self {
        case .noContent: "204 No Content"
        case .empty, .json, .metrics: "200 OK"
        case .failure(let failure):
            switch failure.status {
            case .badRequest: "400 Bad Request"
            case .notFound: "404 Not Found"
            case .conflict: "409 Conflict"
            case .internalError: "500 Internal Server Error"
            case .unavailable: "503 Service Unavailable"
            }
        }
    }
}

/// Who carries out the calls.
public protocol APIHandler: Sendable {
    /// Carries out a call, or has it carried out. It runs on the server's thread and returns at
    /// once; what takes time completes the reply later.
    func handle(_ call: APICall, reply: consuming APIReply)
}
