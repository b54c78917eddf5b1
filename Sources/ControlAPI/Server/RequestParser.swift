import NIOCore
import NIOEmbedded
import NIOHTTP1

/// A request as HTTP has it.
struct HTTPRequest: Equatable {
    var method: String
    var path: String
    var body: [UInt8] = []
    /// Whether the client may send another request after the answer.
    var keepsAlive: Bool
}

/// Takes the bytes of one connection apart into requests. The grammar is that of the HTTP library;
/// sizes are limited here. It belongs to one thread.
///
/// The library's own sockets drop descriptors that are passed, so its decoder gets the bytes by a
/// channel without a socket.
final class RequestParser {
    /// The limits of a request, in bytes.
    struct Limits: Sendable {
        /// Request line and headers.
        var head = 8 << 10
        /// Body.
        var body = 4 << 20
    }

    private let limits: Limits
    private let channel: EmbeddedChannel
    private var requests: [HTTPRequest] = []
    private var current: HTTPRequest?
    /// What is wrong with the bytes after the complete requests.
    private var failure: APIFailure?
    /// Bytes since the last request's end, while no head has been found in them.
    private var headBytes = 0
    /// Bytes of the body that are announced and have not come yet.
    private var bodyRemaining = 0
    /// Whether a client waits for a word before it sends the body.
    private var expectsContinue = false

    init(limits: Limits = Limits()) {
        self.limits = limits
        var headLimits = NIOHTTPDecoderLimitConfiguration()
        headLimits.maxHeaderListSize = limits.head
        let decoder = HTTPRequestDecoder(limitConfiguration: headLimits)
        channel = EmbeddedChannel(handler: ByteToMessageHandler(decoder))
    }

    deinit {
        // The channel must be closed before it is released; what is left in it does not matter.
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// How many requests are complete and not yet taken.
    var completeCount: Int { requests.count }

    /// Whether a request has begun that is not complete.
    var isAmidRequest: Bool { current != nil || headBytes > 0 }

    /// Takes bytes in. Those after a fault are dropped: where a request would begin in them is not
    /// known.
    func feed(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while failure == nil, !rest.isEmpty {
            let piece = rest.prefix(pieceLength(of: rest))
            rest = rest.dropFirst(piece.count)
            do throws(APIFailure) {
                try decode(piece)
            } catch {
                failure = error
            }
        }
    }

    private func decode(_ piece: ArraySlice<UInt8>) throws(APIFailure) {
        if current == nil { headBytes += piece.count }
        do {
            try channel.writeInbound(ByteBuffer(bytes: piece))
        } catch {
            throw APIFailure(.badRequest, "The request is not valid HTTP", "\(error)")
        }
        while let part = nextPart() {
            try take(part)
        }
        guard headBytes <= limits.head else { throw headTooLarge }
    }

    /// How many bytes the decoder gets at once. A request ends with a line or with the announced
    /// number of bytes, so that none of the pieces belongs to two requests; the decoder does not
    /// say where in a piece a request ended.
    private func pieceLength(of bytes: ArraySlice<UInt8>) -> Int {
        if bodyRemaining > 0 { return bodyRemaining }
        let line = bytes.firstIndex(of: UInt8(ascii: "\n"))
        return line.map { $0 - bytes.startIndex + 1 } ?? bytes.count
    }

    /// The next complete request.
    /// - Throws: What to answer before the connection is closed, once the requests before the fault
    ///   have been taken.
    func next() throws(APIFailure) -> HTTPRequest? {
        if let request = requests.first {
            requests.removeFirst()
            return request
        }
        if let failure { throw failure }
        return nil
    }

    /// Whether the client must be told to go on with the body; true once for each request.
    func takeExpectsContinue() -> Bool {
        defer { expectsContinue = false }
        return expectsContinue
    }

    private func nextPart() -> HTTPServerRequestPart? {
        // Only the decoder writes into the channel, and only this type.
        (try? channel.readInbound(as: HTTPServerRequestPart.self)) ?? nil
    }

    private func take(_ part: HTTPServerRequestPart) throws(APIFailure) {
        switch part {
        case .head(let head):
            headBytes = 0
            bodyRemaining = try announcedLength(of: head)
            current = HTTPRequest(
                method: head.method.rawValue, path: head.uri,
                keepsAlive: head.isKeepAlive && !endsConnection(head))
            expectsContinue = head.headers["expect"].contains { $0.lowercased() == "100-continue" }
        case .body(let buffer):
            guard (current?.body.count ?? 0) + buffer.readableBytes <= limits.body else {
                throw bodyTooLarge
            }
            current?.body.append(contentsOf: buffer.readableBytesView)
            bodyRemaining = max(0, bodyRemaining - buffer.readableBytes)
        case .end:
            if let current { requests.append(current) }
            current = nil
            bodyRemaining = 0
            expectsContinue = false
        }
    }

    /// Whether nothing can follow the answer: the decoder takes what follows a wish for another
    /// protocol as that protocol, and who asks with HEAD does not expect the body of a refusal.
    private func endsConnection(_ head: HTTPRequestHead) -> Bool {
        head.method == .CONNECT || head.method == .HEAD || head.headers.contains(name: "upgrade")
    }

    /// The length of the body as the head says it, 0 where it says none.
    /// - Throws: When the head or the body is too large, before the body has come.
    private func announcedLength(of head: HTTPRequestHead) throws(APIFailure) -> Int {
        let size = head.headers.reduce(head.uri.utf8.count) {
            $0 + $1.name.utf8.count + $1.value.utf8.count + 4
        }
        guard size <= limits.head else { throw headTooLarge }
        guard let text = head.headers.first(name: "content-length") else { return 0 }
        guard let length = Int(text), length <= limits.body else { throw bodyTooLarge }
        return length
    }

    private var headTooLarge: APIFailure {
        APIFailure(.badRequest, "The request's head is larger than \(limits.head) bytes")
    }

    private var bodyTooLarge: APIFailure {
        APIFailure(.badRequest, "The request's body is larger than \(limits.body) bytes")
    }
}
